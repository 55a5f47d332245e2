"""Which files the command line skips, replaces and leaves alone: a result is its own if its origin says so."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from client.cli.main import main
from client.cli.origin import read_origin
from tests.support.fake_function import DESCRIPTION, FakeFunction, render
from tests.support.images import random_image
from tests.support.origins import without_origin
from tests.support.photo_folder import list_files, write_photo


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders, each with another photo of the same name."""
    write_photo(tmp_path / "cats" / "001.png", 1)
    write_photo(tmp_path / "dogs" / "001.png", 2)
    return tmp_path / "cats", tmp_path / "dogs"


def test_the_mask_of_another_photo_is_neither_taken_for_done_nor_replaced(
    fake: FakeFunction, pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cats, dogs = pair
    assert main([str(cats), "--out", str(tmp_path / "m")]) == 0
    assert main([str(dogs), "--out", str(tmp_path / "m")]) == 1
    output = capsys.readouterr()
    assert "done 0, skipped 0, failed 1" in output.out
    assert "001-mask.png exists and was made of another photo (001.png); use --force" in output.err
    assert without_origin(tmp_path / "m" / "001-mask.png") == render(random_image(1))
    assert main([str(dogs), "--out", str(tmp_path / "m"), "--force"]) == 0
    assert without_origin(tmp_path / "m" / "001-mask.png") == render(random_image(2))


def test_photos_of_the_same_size_and_time_are_told_apart(
    fake: FakeFunction, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    for seed, folder in enumerate(pair):
        Image.new("RGB", (8, 8), (seed * 200,) * 3).save(folder / "001.png", "BMP")
        os.utime(folder / "001.png", (1, 1))
    assert main([str(pair[0]), "--out", str(tmp_path / "m")]) == 0
    assert main([str(pair[1]), "--out", str(tmp_path / "m")]) == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--threshold", "0.3"],
        ["--class", "cat"],
        ["--size", "model"],
        ["--output", "overlay", "--out", "{folder}/more"],
    ],
)
def test_a_result_of_other_options_is_replaced(fake: FakeFunction, photos: Path, options: list[str]) -> None:
    options = [option.format(folder=photos.parent) for option in options]
    assert main([str(photos), *options]) == 0
    assert main([str(photos)]) == main([str(photos)]) == 0
    assert len(fake.uploads) == 8
    assert fake.uploads[-1].query == {}


def test_a_cutout_on_another_background_is_replaced(fake: FakeFunction, photos: Path) -> None:
    for colour, uploads in (("red", 4), ("#ff0000", 4), ("blue", 8)):
        assert main([str(photos), "--background", colour]) == 0
        assert len(fake.uploads) == uploads


def test_a_result_of_a_photo_that_has_changed_is_replaced(fake: FakeFunction, photos: Path) -> None:
    assert main([str(photos)]) == 0
    write_photo(photos / "a.png", 99)
    assert main([str(photos)]) == 0
    assert len(fake.uploads) == 5
    assert without_origin(photos / "a-mask.png") == render(random_image(99))


def test_a_result_of_another_model_is_replaced(
    fake: FakeFunction, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([str(photos)]) == 0
    monkeypatch.setitem(DESCRIPTION, "sha256", "f" * 64)
    assert main([str(photos)]) == 0
    assert len(fake.uploads) == 8


def test_results_are_kept_where_the_model_cannot_be_read(
    fake: FakeFunction, photos: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert main([str(photos)]) == 0
    monkeypatch.delitem(DESCRIPTION, "sha256")
    assert main([str(photos)]) == 0
    assert len(fake.uploads) == 4
    assert "the function's model is unknown" in caplog.text


def test_results_of_a_folder_that_was_moved_or_touched_are_kept(fake: FakeFunction, photos: Path) -> None:
    assert main([str(photos)]) == 0
    moved = photos.with_name("moved")
    shutil.move(photos, moved)
    os.utime(moved / "a.png", (1, 1))
    assert main([str(moved)]) == 0
    assert len(fake.uploads) == 4


@pytest.mark.parametrize("content", ["a hand-made mask", "a mask of version 1", "an edited result"])
def test_another_file_in_the_place_of_a_result_is_kept_unless_force_is_given(
    fake: FakeFunction, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    photo, mask = tmp_path / "img001.png", tmp_path / "img001-mask.png"
    write_photo(photo, 1)
    if content == "an edited result":
        assert main([str(photo)]) == 0
        mask.write_bytes(mask.read_bytes().replace(b"IEND", b"IEND edited"))
    else:
        mask.write_bytes(render(random_image(5 if content == "a hand-made mask" else 1)))
    before = mask.read_bytes()
    for source in (photo, tmp_path):
        fake.requests.clear()
        assert main([str(source)]) == 1
        assert mask.read_bytes() == before
        assert fake.uploads == []
        assert f"{mask} exists and was not made by this command; use --force" in capsys.readouterr().err
    assert main([str(photo), "--force"]) == 0
    assert without_origin(mask) == render(random_image(1))


def test_a_comparison_image_does_not_replace_another_file(fake: FakeFunction, tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", 1)
    write_photo(tmp_path / "mine.png", 2)
    arguments = [str(tmp_path / "a.png"), "--compare", str(tmp_path / "mine.png")]
    assert main(arguments) == 1
    assert (tmp_path / "mine.png").read_bytes() == random_image(2)
    arguments[-1] = str(tmp_path / "compared.png")
    assert main(arguments) == main(arguments) == 0


def test_a_contact_sheet_does_not_replace_another_file(
    fake: FakeFunction, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(photos), "--out", str(tmp_path / "m"), "--contact-sheet", str(tmp_path / "mine.jpg")]
    Image.new("RGB", (8, 8)).save(tmp_path / "mine.jpg")
    assert main(arguments) == 2
    assert "is not a contact sheet of this command" in capsys.readouterr().err
    assert fake.requests == []
    arguments[-1] = str(tmp_path / "sheet.jpg")
    assert main(arguments) == main(arguments) == 0


@pytest.mark.parametrize("option", ["--compare", "--contact-sheet"])
def test_two_outputs_with_the_same_file_are_refused(
    fake: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert main([str(photos / "a.png"), option, str(photos / "a-mask.png")]) == 2
    assert "must be different files" in capsys.readouterr().err
    assert fake.requests == []


def test_the_log_is_not_appended_to_an_image(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([str(photos), "--log", str(photos / "a.png")])
    assert raised.value.code == 2
    assert "has the extension of an image" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "name"),
    [("mask", "x.png"), ("overlay", "x.jpg"), ("overlay", "x.webp"), ("cutout", "x.webp"), ("json", "x.json")],
)
def test_a_file_of_each_format_holds_its_origin_and_stays_readable(
    fake: FakeFunction, tmp_path: Path, output: str, name: str
) -> None:
    write_photo(tmp_path / "a.png", 1)
    path = tmp_path / name
    assert main([str(tmp_path / "a.png"), "--output", output, "--out", str(path)]) == 0
    origin = read_origin(path)
    assert origin is not None
    assert (origin.photo, origin.options["output"]) == ("a.png", output)
    assert str(tmp_path) not in path.read_bytes().decode("latin-1"), "the path of the photo is disclosed"
    if output == "json":
        assert json.loads(path.read_bytes())["size"] == [12, 16]
    else:
        with Image.open(path) as image:
            image.load()
            assert image.size == (16, 12)
    assert main([str(tmp_path / "a.png"), "--output", output, "--out", str(path)]) == 0


def test_the_origin_is_in_a_text_chunk_that_image_tools_show(fake: FakeFunction, tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", 1)
    assert main([str(tmp_path / "a.png")]) == 0
    with Image.open(tmp_path / "a-mask.png") as image:
        image.load()
        origin = json.loads(image.text["silhouette"])["silhouette"]  # type: ignore[attr-defined]
    assert origin["photo"] == "a.png"
    assert origin["model"].startswith("bright/1; sha256=")


def test_a_folder_of_results_inside_the_photos_is_not_segmented(fake: FakeFunction, photos: Path) -> None:
    assert main([str(photos), "--out", str(photos / "masks")]) == 0
    assert main([str(photos), "--out", str(photos.parent / "others")]) == 0
    assert list_files(photos.parent / "others") == {"a-mask.png", "b-mask.png", "deep/c-mask.png", "deep/er/d-mask.png"}


def test_standard_output_is_the_response_unchanged(
    fake: FakeFunction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photo(tmp_path / "a.png", 1)
    stdout = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr("sys.stdout", stdout)
    assert main([str(tmp_path / "a.png"), "--out", "-"]) == 0
    assert stdout.buffer.getvalue() == render(random_image(1))


@pytest.mark.parametrize(
    "names",
    [
        ("a.jpg", "a.png", "a.jpg.png"),
        ("a.png", "A.png"),
        ("a.png", "A.PNG", "a.PNG"),
        ("e\u0301.png", "\u00e9.png"),
        ("stra\u00dfe.png", "STRASSE.png"),
    ],
)
def test_names_that_collide_do_not_stop_the_photos_beside_them(
    fake: FakeFunction, tmp_path: Path, names: tuple[str, ...]
) -> None:
    for seed, name in enumerate((*names, "beside.png")):
        write_photo(tmp_path / "in" / name, seed)
    if len(list_files(tmp_path / "in")) != len(names) + 1:
        pytest.skip("this file system does not tell these names apart")
    arguments = [str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert main(arguments) == main(arguments) == 0
    masks = list_files(tmp_path / "out")
    assert "beside-mask.png" in masks
    assert len({mask.casefold() for mask in masks}) == len(fake.uploads) == len(names) + 1
    expected = {render(random_image(seed)) for seed in range(len(names) + 1)}
    assert {without_origin(tmp_path / "out" / mask) for mask in masks} == expected
