"""The command for a single photo."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from client import BadResponse, PhotoError
from client.cli.background import Background, compose
from client.cli.image_files import encode_as, open_result
from client.cli.main import main
from tests.support.fake_function import MODEL, Failure, FakeFunction, busy, render, running_fake
from tests.support.images import random_image
from tests.support.origins import without_origin
from tests.support.paths import ROOT
from tests.support.photo_folder import list_files, write_photo

PHOTO = random_image(7)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    write_photo(path, 7)
    return path


def test_the_mask_is_written_unchanged_beside_the_photo(
    fake: FakeFunction, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photo)]) == 0
    assert without_origin(photo.parent / "photo-mask.png") == render(PHOTO)
    assert list_files(photo.parent) == {"photo.png", "photo-mask.png"}
    output = capsys.readouterr().out
    for text in ("photo-mask.png", "16 x 12", "round trip", "decode 1.5 ms, infer 12.0 ms", MODEL, "cold start"):
        assert text in output


def test_a_single_photo_is_segmented_again_although_its_mask_exists(fake: FakeFunction, photo: Path) -> None:
    assert main([str(photo)]) == main([str(photo)]) == 0
    assert len(fake.requests) == 2


def test_url_takes_precedence_over_the_environment_variable(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SILHOUETTE_URL", "http://127.0.0.1:9")
    with running_fake() as other:
        assert main([str(photo), "--url", other.url]) == 0


@pytest.mark.parametrize("output", ["mask", "probability", "overlay", "cutout", "json"])
def test_each_output_has_its_own_file_name(fake: FakeFunction, photo: Path, output: str) -> None:
    assert main([str(photo), "--output", output]) == 0
    result = photo.with_name("photo-mask.json" if output == "json" else f"photo-{output}.png")
    assert without_origin(result) == render(PHOTO, output)


def test_options_reach_the_server(fake: FakeFunction, photo: Path) -> None:
    assert main([str(photo), "--threshold", "0.3", "--class", "cat", "--size", "model"]) == 0
    assert fake.requests[0].query == {"threshold": "0.3", "class": "cat", "size": "model"}


@pytest.mark.parametrize(
    ("out", "result"), [("here.png", "here.png"), ("new", "new/photo-mask.png"), ("a/b/c.png", "a/b/c.png")]
)
def test_out_is_a_file_or_a_folder(fake: FakeFunction, photo: Path, out: str, result: str) -> None:
    assert main([str(photo), "--out", str(photo.parent / out)]) == 0
    assert without_origin(photo.parent / result) == render(PHOTO)


def test_out_is_a_folder_if_it_exists_even_with_a_dot_in_its_name(fake: FakeFunction, photo: Path) -> None:
    (photo.parent / "v1.2").mkdir()
    assert main([str(photo), "--out", str(photo.parent / "v1.2")]) == 0
    assert (photo.parent / "v1.2" / "photo-mask.png").is_file()


def test_a_photo_on_standard_input_gives_a_mask_on_standard_output(fake: FakeFunction) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "client", "-"], input=PHOTO, capture_output=True, cwd=ROOT, check=True
    )
    assert process.stdout == render(PHOTO)
    assert b"16 x 12" in process.stderr


def test_compare_draws_photo_mask_and_overlay_side_by_side(fake: FakeFunction, photo: Path) -> None:
    comparison = photo.with_name("side-by-side.png")
    assert main([str(photo), "--compare", str(comparison)]) == 0
    with Image.open(comparison) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    assert pixels.shape == (12, 3 * 16 + 2 * 6, 3)
    for left, output in ((0, None), (22, "mask"), (44, "overlay")):
        with Image.open(io.BytesIO(render(PHOTO, output) if output else PHOTO)) as expected:
            assert np.array_equal(pixels[:, left : left + 16], np.asarray(expected.convert("RGB")))
    assert without_origin(photo.with_name("photo-mask.png")) == render(PHOTO)


def test_a_background_colour_fills_the_transparent_part_of_a_cutout(fake: FakeFunction, photo: Path) -> None:
    assert main([str(photo), "--background", "#ff0000"]) == 0
    with Image.open(photo.with_name("photo-cutout.png")) as result, Image.open(io.BytesIO(PHOTO)) as original:
        pixels, original_pixels = np.asarray(result), np.asarray(original)
        bright = np.asarray(original.convert("L")) >= 128
    assert pixels.shape == (12, 16, 3)
    assert (pixels[~bright] == (255, 0, 0)).all()
    assert np.array_equal(pixels[bright], original_pixels[bright])


def test_a_background_image_is_scaled_to_the_photo(fake: FakeFunction, photo: Path) -> None:
    background = photo.with_name("background.png")
    Image.new("RGB", (100, 10), (0, 0, 255)).save(background)
    assert main([str(photo), "--background", str(background)]) == 0
    with Image.open(photo.with_name("photo-cutout.png")) as result, Image.open(io.BytesIO(PHOTO)) as original:
        dark = np.asarray(original.convert("L")) < 128
        assert (np.asarray(result)[dark] == (0, 0, 255)).all()


def test_the_detail_of_a_server_error_is_printed_to_standard_error(
    fake: FakeFunction, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.jpg").write_text("not a photo")
    assert main([str(tmp_path / "text.jpg")]) == 1
    output = capsys.readouterr()
    assert output.err == "the body is not a supported image\n"
    assert output.out == ""
    assert list_files(tmp_path) == {"text.jpg"}


def test_a_retry_is_logged(fake: FakeFunction, photo: Path, caplog: pytest.LogCaptureFixture) -> None:
    fake.fail = lambda number, request: busy(503, Retry_After="0") if number == 1 else None
    assert main([str(photo)]) == 0
    assert "503 Service Unavailable; retrying in" in caplog.text


def test_the_error_for_a_missing_photo_names_it(fake: FakeFunction, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-photo.jpg"]) == 1
    assert capsys.readouterr().err == "no-such-photo.jpg: no such file or directory\n"


def test_a_result_that_cannot_be_written_is_reported_and_leaves_no_file(
    fake: FakeFunction, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photo.parent / "file").write_text("a file in the place of the folder")
    assert main([str(photo), "--out", str(photo.parent / "file" / "mask.png")]) == 1
    assert "cannot write" in capsys.readouterr().err
    assert list_files(photo.parent) == {"photo.png", "file"}


def test_quiet_prints_nothing_on_success(fake: FakeFunction, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(photo), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_log_has_one_line_of_json_for_the_photo(fake: FakeFunction, photo: Path) -> None:
    log = photo.with_name("run.log")
    assert main([str(photo), "--log", str(log)]) == 0
    line = json.loads(log.read_text())
    assert (line["photo"], line["status"], line["size_wh"]) == (str(photo), "done", [16, 12])
    assert (line["model"], line["cold_start"], line["tries"]) == (MODEL, True, 1)


@pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="replaces xdg-open")
def test_show_opens_the_result(fake: FakeFunction, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = photo.with_name("opened")
    opener = photo.with_name("bin") / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$1" > "{opened}.part"; mv "{opened}.part" "{opened}"\n')
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{opener.parent}{os.pathsep}{os.environ['PATH']}")
    assert main([str(photo), "--show"]) == 0
    for _ in range(400):
        if opened.exists():
            break
        time.sleep(0.05)
    assert opened.read_text().strip() == str(photo.with_name("photo-mask.png"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["p.jpg", "--output", "painting"], "invalid choice"),
        (["p.jpg", "--url", "localhost:8080"], "must start with http://"),
        (["p.jpg", "--jobs", "0"], "not a whole number from 1"),
        (["p.jpg", "--deadline", "-1"], "not a positive number of seconds"),
        (["p.jpg", "--background", "no-such-colour"], "neither a colour nor an image file"),
        (["p.jpg", "--background", "red", "--output", "mask"], "--background requires --output cutout"),
        (["p.jpg", "--contact-sheet", "sheet.txt"], "no image file extension"),
        (
            ["p.jpg", "--contact-sheet", "sheet.png", "--output", "json"],
            "--contact-sheet cannot be used with --output json",
        ),
        (["-", "p.jpg"], "must be the only photo"),
        ([], "PHOTO"),
    ],
)
def test_a_usage_error_is_explained_before_anything_is_sent(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert message in capsys.readouterr().err


def test_a_compare_file_without_an_image_extension_is_rejected_before_anything_is_sent(
    fake: FakeFunction, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photo), "--compare", str(photo.with_name("compare.txt"))]) == 2
    assert "--compare writes an image" in capsys.readouterr().err
    assert fake.requests == []


def test_the_error_of_a_private_function_mentions_the_identity_token(
    fake: FakeFunction, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.fail = lambda number, request: Failure(403, media_type="text/html", body=b"<h1>Forbidden")
    assert main([str(photo)]) == 1
    assert "identity token" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model", "flask", "google.auth", "tensorflow"])
def test_the_client_does_not_import(name: str) -> None:
    code = f"import sys, client.__main__; sys.exit({name!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_cutout_is_compared_over_a_checkerboard(fake: FakeFunction, photo: Path) -> None:
    comparison = photo.with_name("compare.png")
    assert main([str(photo), "--output", "cutout", "--compare", str(comparison)]) == 0
    assert comparison.is_file()
    with Image.open(io.BytesIO(PHOTO)) as original:
        dark = np.asarray(original.convert("L")) < 128
        pixels = np.asarray(open_result(render(PHOTO, "cutout")))
        assert np.array_equal(pixels[~dark], np.asarray(original)[~dark])
    squares = np.add.outer(np.arange(12) // 8, np.arange(16) // 8) % 2
    assert np.array_equal(pixels[dark], np.where(squares, 255, 204).astype(np.uint8)[dark][:, None].repeat(3, axis=1))


def test_a_contact_sheet_is_written_for_a_single_photo(fake: FakeFunction, photo: Path) -> None:
    sheet = photo.with_name("sheet.jpg")
    assert main([str(photo), "--contact-sheet", str(sheet)]) == 0
    with Image.open(sheet) as opened:
        assert opened.format == "JPEG"


def test_compare_writes_into_an_existing_folder(fake: FakeFunction, photo: Path) -> None:
    (photo.parent / "compared").mkdir()
    assert main([str(photo), "--compare", str(photo.parent / "compared")]) == 0
    assert (photo.parent / "compared" / "photo-compare.png").is_file()


def test_an_image_that_the_format_cannot_hold_is_an_error() -> None:
    with pytest.raises(PhotoError, match=r"extension \.xyz: unknown image format"):
        encode_as(Image.new("RGB", (1, 1)), ".xyz")
    with pytest.raises(PhotoError, match=r"extension \.jpg"):
        encode_as(Image.new("RGBA", (1, 1)), ".jpg")


def test_a_result_that_is_not_an_image_is_an_error() -> None:
    with pytest.raises(BadResponse, match="cannot decode the result"):
        open_result(b"not an image")
    with pytest.raises(BadResponse, match="cannot decode the result"):
        compose(b"not an image", Background())


def test_show_without_an_image_viewer_prints_where_the_result_is(
    fake: FakeFunction, photo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows always has a viewer")
    monkeypatch.setenv("PATH", "")
    assert main([str(photo), "--show"]) == 0
    assert f"no image viewer is installed (xdg-open); the result is {photo.with_name('photo-mask.png')}" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("log", ["file/run.log", ""])
def test_a_log_that_cannot_be_opened_is_reported_before_anything_is_sent(
    fake: FakeFunction, photo: Path, capsys: pytest.CaptureFixture[str], log: str
) -> None:
    (photo.parent / "file").write_text("a file in the place of the folder")
    assert main([str(photo), "--log", str(photo.parent / log)]) == 1
    assert "cannot write" in capsys.readouterr().err
    assert fake.requests == []


def test_binary_data_is_not_written_to_a_terminal(
    photo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(SystemExit):
        main([str(photo), "--out", "-"])
    assert "refusing to write binary data to the terminal" in capsys.readouterr().err
