from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.cli import CommandError
from model.training.data import samples
from model.training.data.samples import UNKNOWN
from tests.support.training import draw


def folder_of(tmp_path, *masks):
    """Make photos of 4 x 2 with masks of these values."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    for i, values in enumerate(masks):
        Image.new("RGB", (4, 2), (i, i, i)).save(tmp_path / "photos" / f"{i}.png")
        image = values if isinstance(values, Image.Image) else Image.fromarray(np.array(values, np.uint8))
        image.save(tmp_path / "masks" / f"{i}.png")
    return tmp_path / "photos", tmp_path / "masks"


@pytest.mark.parametrize(
    ("values", "kind", "ids"),
    [
        ([[1, 1, 3, 2]] * 2, "trimap", [1, 1, UNKNOWN, 0]),
        ([[255, 0, 0, 255]] * 2, "binary", [1, 0, 0, 1]),
        ([[0, 1, 2, 255]] * 2, "ids", [0, 1, 2, UNKNOWN]),
        ([[0, 1, 1, 0]] * 2, "ids", [0, 1, 1, 0]),
    ],
)
def test_the_kind_of_masks_is_told_by_their_values(tmp_path: Path, values, kind, ids) -> None:
    found = samples.load(*folder_of(tmp_path, values))
    assert found.kind == kind
    assert np.asarray(found.samples[0].ids)[0].tolist() == ids


def test_a_kind_that_is_named_wins_over_what_the_values_say(tmp_path: Path) -> None:
    found = samples.load(*folder_of(tmp_path, [[1, 2, 3, 2]] * 2), kind="ids")
    assert (found.kind, found.classes) == ("ids", 4)


def test_masks_in_a_palette_or_in_equal_channels_or_of_one_bit_are_read(tmp_path: Path) -> None:
    values = np.array([[0, 1, 2, 1]] * 2, np.uint8)
    palette = Image.fromarray(values)
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    grey = Image.fromarray(np.stack([values] * 3, axis=-1))
    found = samples.load(*folder_of(tmp_path, palette, grey))
    assert [np.asarray(sample.ids).tolist() for sample in found.samples] == [values.tolist()] * 2


def test_a_mask_of_one_bit_is_binary(tmp_path: Path) -> None:
    found = samples.load(*folder_of(tmp_path, Image.new("1", (4, 2), 1)))
    assert found.kind == "binary"
    assert np.asarray(found.samples[0].ids).tolist() == [[1] * 4] * 2


def test_shades_of_grey_are_not_guessed_at(tmp_path: Path) -> None:
    grey = np.linspace(0, 255, 200, dtype=np.uint8).reshape(2, 100)
    pair = folder_of(tmp_path, grey)
    Image.new("RGB", (100, 2)).save(pair[0] / "0.png")
    with pytest.raises(CommandError, match="say --kind"):
        samples.load(*pair)
    assert samples.load(*pair, kind="binary").classes == 2


def test_every_broken_pair_is_reported_and_may_be_left_out(tmp_path: Path) -> None:
    photos, masks = folder_of(tmp_path, *[[[1, 2, 3, 2]] * 2] * 5)
    Image.new("L", (9, 9), 1).save(masks / "1.png")
    (photos / "2.png").write_bytes(b"no photo")
    whole = (masks / "3.png").read_bytes()
    (masks / "3.png").write_bytes(whole[:45])
    (masks / "4.png").unlink()
    found = samples.look_through(photos, masks)
    assert [line.partition(":")[0] for line in found.broken] == ["1.png", "2.png", "3.png"]
    assert "the photo is 4 x 2 and its mask 9 x 9" in found.broken[0]
    assert found.unpaired == ["4.png"]
    with pytest.raises(CommandError, match="3 of 4 pairs are broken"):
        samples.load(photos, masks)
    assert len(samples.load(photos, masks, skip_broken=True).samples) == 1


def test_empty_folders_and_missing_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no folder"):
        samples.load(tmp_path / "a", tmp_path / "b")
    with pytest.raises(CommandError, match="has a mask of its name"):
        samples.load(tmp_path, tmp_path)
    with pytest.raises(CommandError, match="there are no photos"):
        samples.photo_files(tmp_path)


def test_the_split_goes_by_the_name_alone_or_by_a_prefix(tmp_path: Path) -> None:
    found = samples.load(*draw(tmp_path, 24)).samples
    train, held = samples.split(found)
    assert {s.name for s in held} == {s.name for s in found if samples.held_out(s.name)}
    assert len(train) + len(held) == 24
    assert {s.name for s in samples.split(found[::-1])[1]} == {s.name for s in held}
    train, held = samples.split(found, "other")
    assert all(s.name.startswith("other") for s in held)
    assert not any(s.name.startswith("other") for s in train)
    with pytest.raises(CommandError, match="0 of 24 photos"):
        samples.split(found, "nobody")


def test_photos_that_memory_has_no_room_for_are_read_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = draw(tmp_path, 3)
    kept = samples.load(*pair).samples
    monkeypatch.setattr(samples, "KEPT_BYTES", 0)
    for sample, other in zip(samples.load(*pair).samples, kept, strict=True):
        assert sample.kept is None
        assert sample.photo.tobytes() == other.photo.tobytes()
        assert sample.ids.tobytes() == other.ids.tobytes()
