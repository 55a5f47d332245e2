"""Unusual files, folders and names: pipes, links, brackets, control characters, long names, extensions of --out."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from client.cli.main import main
from tests.support.fake_function import FakeFunction
from tests.support.photo_folder import MASK_NAMES, NAMES, list_files, write_photo

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")


@contextlib.contextmanager
def bound_socket(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(path.parent):  # the length of its path is limited
        listener.bind(path.name)
        yield


@needs_posix
@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "socket", "device"])
@pytest.mark.parametrize("pattern", ["", "*.jpg", "**/*.jpg"])
def test_what_is_no_regular_file_is_ignored_with_a_warning(
    fake: FakeFunction, photos: Path, caplog: pytest.LogCaptureFixture, kind: str, pattern: str
) -> None:
    special = photos / "special.jpg"
    with contextlib.ExitStack() as stack:
        if kind == "socket":
            stack.enter_context(bound_socket(special))
        elif kind == "device":
            special.symlink_to(os.devnull)
        else:
            os.mkfifo(special if kind == "pipe" else photos / "pipe")
            if kind != "pipe":
                special.symlink_to(photos / "pipe")
        (photos / "good.jpg").write_bytes((photos / "a.png").read_bytes())
        assert main([str(photos / pattern)]) == 0
    assert f"{special} is not a regular file and is ignored" in caplog.text
    assert (photos / "good-mask.png").is_file()


@needs_posix
def test_a_pipe_that_is_named_among_several_photos_fails_alone(
    fake: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(photos / "pipe.jpg")
    assert main([str(photos / "pipe.jpg"), str(photos / "a.png")]) == 1
    output = capsys.readouterr()
    assert "pipe.jpg: not a regular file" in output.err
    assert "done 1, skipped 0, failed 1" in output.out


@needs_posix
def test_a_result_does_not_replace_a_pipe(fake: FakeFunction, photos: Path) -> None:
    os.mkfifo(photos / "a-mask.png")
    for options in ([], ["--force"]):
        assert main([str(photos / "a.png"), *options]) == 1
        assert (photos / "a-mask.png").is_fifo()


@needs_posix
@pytest.mark.parametrize("pattern", ["", "**/*.*"])
def test_linked_folders_are_searched_only_with_follow_links(
    fake: FakeFunction, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, pattern: str
) -> None:
    write_photo(tmp_path / "elsewhere" / "x.png", 9)
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    arguments = [str(photos / pattern), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert list_files(tmp_path / "out") == MASK_NAMES
    assert "linked is a symbolic link and is not searched; use --follow-links" in caplog.text
    assert main([*arguments, "--follow-links"]) == 0
    assert list_files(tmp_path / "out") == {*MASK_NAMES, "linked/x-mask.png"}


@needs_posix
@pytest.mark.parametrize("pattern", ["", "**/*.*"])
@pytest.mark.parametrize("targets", [("..",), (".", "."), ("deep", "missing"), ("../photos",)])
def test_links_in_circles_end_and_no_photo_is_sent_twice(
    fake: FakeFunction, photos: Path, pattern: str, targets: tuple[str, ...]
) -> None:
    for index, target in enumerate(targets):
        (photos / "deep" / f"link{index}").symlink_to(target)
        (photos / f"link{index}").symlink_to("deep")
    assert main([str(photos / pattern), "--follow-links", "--out", str(photos.parent / "out")]) == 0
    assert len(fake.uploads) == len(NAMES)


@needs_posix
def test_a_link_to_a_missing_photo_is_reported(
    fake: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "gone.jpg").symlink_to("missing.jpg")
    assert main([str(photos)]) == 1
    assert "gone.jpg: no such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["cats [2024]", "[a-z]", "what?", "all*", "[", "a]b[c"])
@pytest.mark.parametrize("pattern", ["", "*.png", "[ab].png", "**/*.png", "a.png"])
def test_wildcards_in_the_name_of_an_existing_folder_are_ordinary_letters(
    fake: FakeFunction, tmp_path: Path, folder: str, pattern: str
) -> None:
    if os.name == "nt" and set(folder) & set("?*"):
        pytest.skip("Windows does not allow this name")
    for seed, name in enumerate(("a.png", "b.png")):
        write_photo(tmp_path / folder / name, seed)
    assert main([str(tmp_path / folder / pattern), "--out", str(tmp_path / "out")]) == 0
    expected = {"a-mask.png"} if pattern == "a.png" else {"a-mask.png", "b-mask.png"}
    assert list_files(tmp_path / "out") == expected


def test_a_missing_photo_in_a_folder_with_brackets_is_reported(
    fake: FakeFunction, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cats [1]").mkdir()
    assert main([str(tmp_path / "cats [1]" / "missing.jpg")]) == 1
    assert "missing.jpg: no such file or directory" in capsys.readouterr().err


@needs_posix
@pytest.mark.parametrize("letter", ["\x1b[31m", "\n", "\r", "\x07", "\x9b31m", "\u202e", "\u2028", "\udcff"])
def test_control_characters_of_names_do_not_reach_the_terminal_or_the_log(
    fake: FakeFunction, tmp_path: Path, capsys: pytest.CaptureFixture[str], letter: str
) -> None:
    write_photo(tmp_path / "in" / f"a{letter}b.png", 1)
    (tmp_path / "in" / f"broken{letter}.jpg").write_text("not a photo")
    log = tmp_path / "log.jsonl"
    for arguments in (
        [str(tmp_path / "in"), "--log", str(log)],
        [str(tmp_path / "in" / f"a{letter}b.png")],
        [str(tmp_path / "in" / f"missing{letter}.png")],
        [str(tmp_path / f"none{letter}*.png")],
    ):
        main(arguments)
    shown = "".join(capsys.readouterr())
    assert f"a\\u{ord(letter[0]):04x}{letter[1:]}b.png" in shown
    assert letter == "\n" or letter[0] not in shown + log.read_text()
    photos = {json.loads(line)["photo"] for line in log.read_text().splitlines()}
    assert str(tmp_path / "in" / f"a{letter}b.png") in photos


def test_letters_of_all_languages_are_printed_unchanged(
    fake: FakeFunction, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "\u732b\u3000 \u00e9 \u0628\u200c\u062a \U0001f468\u200d\U0001f469.png"
    write_photo(tmp_path / name, 1)
    assert main([str(tmp_path)]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("length", [239, 247, 251])
@pytest.mark.parametrize("letter", ["a", "\u00e9", "\u732b"])
def test_names_near_the_limit_of_the_file_system_are_shortened(
    fake: FakeFunction, tmp_path: Path, length: int, letter: str
) -> None:
    stem = letter * (length // len(letter.encode()))
    for seed, last in enumerate("xy"):
        write_photo(tmp_path / "in" / f"{stem[:-1]}{last}.png", seed)
    assert main([str(tmp_path / "in"), "--compare", str(tmp_path / "compared")]) == 0
    assert main([str(tmp_path / "in"), "--compare", str(tmp_path / "compared")]) == 0
    assert len(fake.uploads) == 4
    assert len(list_files(tmp_path / "compared")) == 2
    results = {name for name in list_files(tmp_path / "in") if name.endswith("-mask.png")}
    assert len(results) == 2
    assert all(len(os.fsencode(name)) <= 255 for name in results)
    single = tmp_path / "in" / f"{stem[:-1]}x.png"
    assert main([str(single), "--out", str(tmp_path / "single")]) == 0


@pytest.mark.parametrize("out", ["2024.11.26", "v1.2", "run.final", "a.b/", ".hidden"])
def test_out_with_a_dot_in_its_name_is_a_folder(fake: FakeFunction, photos: Path, out: str) -> None:
    assert main([str(photos / "a.png"), "--out", f"{photos.parent}/{out}"]) == 0
    assert (photos.parent / out / "a-mask.png").is_file()


@pytest.mark.parametrize(
    ("name", "image_format", "options"),
    [
        ("x.jpg", "JPEG", ["--output", "overlay"]),
        ("x.JPEG", "JPEG", ["--output", "overlay"]),
        ("x.jpg", "JPEG", ["--background", "red"]),
        ("x.webp", "WEBP", ["--output", "overlay"]),
        ("x.webp", "WEBP", ["--output", "cutout"]),
        ("x.PNG", "PNG", []),
    ],
)
def test_the_extension_of_out_selects_the_format(
    fake: FakeFunction, photos: Path, name: str, image_format: str, options: list[str]
) -> None:
    assert main([str(photos / "a.png"), "--out", str(photos / name), *options]) == 0
    with Image.open(photos / name) as image:
        assert image.format == image_format
        assert image.mode == ("1" if not options else "RGBA" if "cutout" in options else "RGB")


@pytest.mark.parametrize(
    ("name", "options", "allowed"),
    [
        ("mask.jpg", [], "use .png"),
        ("mask.webp", [], "use .png"),
        ("mask.gif", [], "use .png"),
        ("mask.json", [], "use .png"),
        ("p.jpg", ["--output", "probability"], "use .png"),
        ("cutout.jpg", ["--output", "cutout"], "use .png, .webp"),
        ("overlay.tif", ["--output", "overlay"], "use .png, .jpg, .webp"),
        ("result.png", ["--output", "json"], "use .json"),
    ],
)
def test_an_extension_that_cannot_hold_the_output_is_refused(
    fake: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str], name: str, options: list[str], allowed: str
) -> None:
    with pytest.raises(SystemExit) as raised:
        main([str(photos / "a.png"), "--out", str(photos / name), *options])
    assert raised.value.code == 2
    assert allowed in capsys.readouterr().err
    assert not (photos / name).exists()
    assert fake.requests == []
