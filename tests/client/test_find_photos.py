"""Which photos a command means, and where the results of each go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from client.__main__ import main
from tests.client.test_fake_server import StandIn, make_photo, render, standing_in

NAMES = ("a.png", "b.png", "deep/c.png", "deep/er/d.PNG")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with standing_in() as running:
        monkeypatch.setenv("SILHOUETTE_URL", running.url)
        yield running


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for seed, name in enumerate(NAMES):
        put(folder / name, seed)
    return folder


def put(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(make_photo(seed))


def listing(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def mask_names(names: tuple[str, ...]) -> set[str]:
    return {str(Path(name).with_suffix("")) + "-mask.png" for name in names}


def test_a_folder_is_mirrored_under_out(stand_in: StandIn, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(photos), "--out", str(out)]) == 0
    assert listing(out) == mask_names(NAMES)
    for seed, name in enumerate(NAMES):
        mask = out / Path(name).with_name(f"{Path(name).stem}-mask.png")
        assert mask.read_bytes() == render(make_photo(seed))
    assert listing(photos) == set(NAMES)


def test_without_out_the_masks_lie_beside_their_photos_and_are_not_taken_for_photos(
    stand_in: StandIn, photos: Path
) -> None:
    assert main([str(photos)]) == 0
    assert main([str(photos)]) == 0
    assert main([str(photos), "--output", "cutout"]) == 0
    assert listing(photos) == {
        *NAMES,
        *mask_names(NAMES),
        *(name.replace("-mask", "-cutout") for name in mask_names(NAMES)),
    }
    assert len(stand_in.seen) == 2 * len(NAMES)


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
def test_a_pattern_stands_for_its_photos_mirrored_from_where_it_begins(
    stand_in: StandIn, photos: Path, tmp_path: Path, pattern: str, expected: set[str]
) -> None:
    made = tmp_path / "out"
    assert main([str(photos / pattern), "--out", str(made)]) == (0 if expected else 1)
    assert listing(made) == {f"{name}-mask.png" for name in expected}


def test_photos_named_one_by_one_keep_what_tells_their_folders_apart(
    stand_in: StandIn, photos: Path, tmp_path: Path
) -> None:
    put(photos / "deep" / "a.png", 9)
    out = tmp_path / "out"
    assert main([str(photos / "a.png"), str(photos / "deep" / "a.png"), "--out", str(out)]) == 0
    assert listing(out) == {"a-mask.png", "deep/a-mask.png"}


def test_two_folders_keep_their_names_under_out(stand_in: StandIn, photos: Path, tmp_path: Path) -> None:
    put(tmp_path / "more" / "a.png", 9)
    out = tmp_path / "out"
    assert main([str(photos), str(tmp_path / "more"), "--out", str(out)]) == 0
    assert listing(out) == {"more/a-mask.png", *(f"photos/{name}" for name in mask_names(NAMES))}


def test_a_photo_named_twice_is_done_once(stand_in: StandIn, photos: Path) -> None:
    assert main([str(photos), str(photos / "a.png"), str(photos / "deep" / ".." / "a.png")]) == 0
    assert len(stand_in.seen) == len(NAMES)


def test_photos_that_differ_in_their_ending_alone_get_masks_of_their_own(stand_in: StandIn, photos: Path) -> None:
    with Image.open(photos / "a.png") as image:
        image.save(photos / "a.jpg", quality=95)
    assert main([str(photos)]) == main([str(photos)]) == 0
    assert {"a.png-mask.png", "a.jpg-mask.png", "b-mask.png"} < listing(photos)
    assert (photos / "a.png-mask.png").read_bytes() == render(make_photo(0))
    assert len(stand_in.seen) == len(NAMES) + 1


def test_two_photos_that_would_share_a_mask_are_refused_before_anything_is_sent(
    stand_in: StandIn, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "more" / "photos" / "a.png", 9)
    arguments = [str(photos), str(tmp_path / "more" / "photos"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "would both be written to" in capsys.readouterr().err
    assert stand_in.seen == []


def test_hidden_files_and_what_is_no_photo_are_left_alone(stand_in: StandIn, photos: Path) -> None:
    for name in ("._a.png", "notes.txt", "a.json", "film.mp4"):
        (photos / name).write_text("x")
    assert main([str(photos)]) == 0
    assert len(stand_in.seen) == len(NAMES)


def test_an_out_folder_inside_the_photos_is_not_searched(stand_in: StandIn, photos: Path) -> None:
    arguments = [str(photos), "--out", str(photos / "made"), "--contact-sheet", str(photos / "sheet.png")]
    assert main(arguments) == main(arguments) == 0
    assert len(stand_in.seen) == len(NAMES)


@pytest.mark.parametrize("option", ["--out", "--compare"])
def test_a_file_is_refused_where_a_folder_must_be(
    stand_in: StandIn, photos: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photos), option, str(photos / "one.png")]) == 2
    assert f"{option} takes a folder" in capsys.readouterr().err
    assert stand_in.seen == []


def test_a_folder_with_no_photos_is_said_to_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "no photos found" in capsys.readouterr().err
