"""The search for photos, and the paths of their results."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from client.cli.main import main
from tests.support.fake_function import FakeFunction, render
from tests.support.images import random_image
from tests.support.origins import without_origin
from tests.support.photo_folder import MASK_NAMES, NAMES, list_files, write_photo


def test_a_folder_is_mirrored_under_out(fake: FakeFunction, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(photos), "--out", str(out)]) == 0
    assert list_files(out) == MASK_NAMES
    for seed, name in enumerate(NAMES):
        mask = out / Path(name).with_name(f"{Path(name).stem}-mask.png")
        assert without_origin(mask) == render(random_image(seed))
    assert list_files(photos) == set(NAMES)


def test_without_out_masks_are_written_beside_their_photos_and_not_segmented_themselves(
    fake: FakeFunction, photos: Path
) -> None:
    assert main([str(photos)]) == 0
    assert main([str(photos)]) == 0
    assert main([str(photos), "--output", "cutout"]) == 0
    assert list_files(photos) == {
        *NAMES,
        *MASK_NAMES,
        *(name.replace("-mask", "-cutout") for name in MASK_NAMES),
    }
    assert len(fake.uploads) == 2 * len(NAMES)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", {"a", "b"}),
        ("**/*.png", {"a", "b", "deep/c"}),
        ("*/*.png", {"deep/c"}),
        ("[ab].png", {"a", "b"}),
        ("d*", set()),
    ],
)
def test_a_pattern_is_mirrored_under_out_from_its_first_wildcard(
    fake: FakeFunction, photos: Path, tmp_path: Path, pattern: str, expected: set[str]
) -> None:
    out = tmp_path / "out"
    assert main([str(photos / pattern), "--out", str(out)]) == (0 if expected else 1)
    assert list_files(out) == {f"{name}-mask.png" for name in expected}


def test_photos_named_one_by_one_keep_their_folders_below_the_common_one(
    fake: FakeFunction, photos: Path, tmp_path: Path
) -> None:
    write_photo(photos / "deep" / "a.png", 9)
    out = tmp_path / "out"
    assert main([str(photos / "a.png"), str(photos / "deep" / "a.png"), "--out", str(out)]) == 0
    assert list_files(out) == {"a-mask.png", "deep/a-mask.png"}


def test_two_folders_keep_their_names_under_out(fake: FakeFunction, photos: Path, tmp_path: Path) -> None:
    write_photo(tmp_path / "more" / "a.png", 9)
    out = tmp_path / "out"
    assert main([str(photos), str(tmp_path / "more"), "--out", str(out)]) == 0
    assert list_files(out) == {"more/a-mask.png", *(f"photos/{name}" for name in MASK_NAMES)}


def test_a_photo_that_is_named_twice_is_segmented_once(fake: FakeFunction, photos: Path) -> None:
    assert main([str(photos), str(photos / "a.png"), str(photos / "deep" / ".." / "a.png")]) == 0
    assert len(fake.uploads) == len(NAMES)


def test_photos_that_differ_only_in_their_extension_have_separate_masks(fake: FakeFunction, photos: Path) -> None:
    with Image.open(photos / "a.png") as image:
        image.save(photos / "a.jpg", quality=95)
    assert main([str(photos)]) == main([str(photos)]) == 0
    assert {"a.png-mask.png", "a.jpg-mask.png", "b-mask.png"} < list_files(photos)
    assert without_origin(photos / "a.png-mask.png") == render(random_image(0))
    assert len(fake.uploads) == len(NAMES) + 1


def test_two_photos_with_the_same_mask_path_get_masks_of_their_own(
    fake: FakeFunction, photos: Path, tmp_path: Path
) -> None:
    write_photo(tmp_path / "more" / "photos" / "a.png", 9)
    arguments = [str(photos), str(tmp_path / "more" / "photos"), "--out", str(tmp_path / "out")]
    assert main(arguments) == main(arguments) == 0
    masks = list_files(tmp_path / "out")
    assert {f"photos/{name}" for name in MASK_NAMES} - masks == {"photos/a-mask.png"}
    contents = {without_origin(tmp_path / "out" / mask) for mask in masks}
    assert {render(random_image(0)), render(random_image(9))} <= contents
    assert len(masks) == len(fake.uploads) == len(NAMES) + 1


def test_hidden_files_and_other_file_types_are_ignored(fake: FakeFunction, photos: Path) -> None:
    for name in ("._a.png", "notes.txt", "a.json", "film.mp4"):
        (photos / name).write_text("x")
    assert main([str(photos)]) == 0
    assert len(fake.uploads) == len(NAMES)


def test_an_out_folder_inside_the_photos_is_not_searched(fake: FakeFunction, photos: Path) -> None:
    arguments = [str(photos), "--out", str(photos / "results"), "--contact-sheet", str(photos / "sheet.png")]
    assert main(arguments) == main(arguments) == 0
    assert len(fake.uploads) == len(NAMES)


@pytest.mark.parametrize("option", ["--out", "--compare"])
def test_a_file_instead_of_a_folder_is_rejected(
    fake: FakeFunction, photos: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photos), option, str(photos / "one.png")]) == 2
    assert f"{option} must be a folder" in capsys.readouterr().err
    assert fake.requests == []


def test_a_folder_without_photos_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "no photos found" in capsys.readouterr().err
