"""Folders of photos and masks: pairs, broken files, several folders and the cache."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from model.training.cli import CommandError
from model.training.data import samples
from tests.support.training import draw, write_pairs


def test_every_broken_pair_is_reported_and_can_be_skipped(tmp_path: Path) -> None:
    photos, masks = write_pairs(tmp_path, *[[[1, 2, 3, 2]] * 2] * 5)
    Image.new("L", (9, 9), 1).save(masks / "1.png")
    (photos / "2.png").write_bytes(b"no photo")
    whole = (masks / "3.png").read_bytes()
    (masks / "3.png").write_bytes(whole[:45])
    (masks / "4.png").unlink()
    dataset = samples.scan(photos, masks)
    assert [line.partition(":")[0] for line in dataset.broken] == ["1.png", "2.png", "3.png"]
    assert "the photo is 4 x 2 and its mask 9 x 9" in dataset.broken[0]
    assert dataset.without_mask == ["4.png"]
    with pytest.raises(CommandError, match="3 of 4 pairs are broken"):
        samples.load(photos, masks)
    assert len(samples.load(photos, masks, skip_broken=True).samples) == 1


def test_empty_and_missing_folders_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no folder"):
        samples.load(tmp_path / "a", tmp_path / "b")
    with pytest.raises(CommandError, match="has a mask of its name"):
        samples.load(tmp_path, tmp_path)
    with pytest.raises(CommandError, match="there are no photos"):
        samples.photo_files(tmp_path)


def test_several_folders_are_one_dataset(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first, second = draw(tmp_path / "b", 6), write_pairs(tmp_path / "a", [[0, 1, 2, 255]] * 2)
    dataset = samples.load_all([first[0], second[0]], [first[1], second[1]])
    assert len(dataset.samples) == 7
    assert {sample.mask_format for sample in dataset.samples} == {"trimap", "ids"}
    assert dataset.classes == 3
    with pytest.raises(CommandError, match="2 folders and --masks 1"):
        samples.load_all([first[0], second[0]], [first[1]])
    with pytest.raises(CommandError, match="is in 2 folders"):
        samples.load_all([first[0]] * 2, [first[1]] * 2)


def test_negatives_have_the_background_everywhere(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6), "green").save(tmp_path / "street.png")
    (negative,) = samples.load_negatives(tmp_path)
    assert (negative.name, negative.mask_file) == ("street", None)
    assert negative.ids.size == negative.photo.size == (8, 6)
    assert negative.ids.getbbox() is None
    (tmp_path / "broken.png").write_bytes(b"no photo")
    with pytest.raises(CommandError, match=r"broken\.png"):
        samples.load_negatives(tmp_path)


def test_samples_that_exceed_the_cache_are_decoded_on_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = draw(tmp_path, 3)
    cached = samples.load(*folders).samples
    negatives = samples.load_negatives(folders[0])
    monkeypatch.setattr(samples, "CACHE_BYTES", 0)
    for loaded, expected in (
        (samples.load(*folders).samples, cached),
        (samples.load_negatives(folders[0]), negatives),
    ):
        for sample, other in zip(loaded, expected, strict=True):
            assert other.cached is not None
            assert sample.cached is None
            assert sample.photo.tobytes() == other.photo.tobytes()
            assert sample.ids.tobytes() == other.ids.tobytes()
