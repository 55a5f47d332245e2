"""The command line about one photo."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from client.__main__ import main
from tests.client.test_fake_server import MODEL, Failure, StandIn, busy, make_photo, render, standing_in
from tests.support.paths import ROOT

PHOTO = make_photo(7)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with standing_in() as running:
        monkeypatch.setenv("SILHOUETTE_URL", running.url)
        yield running


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(PHOTO)
    return path


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_mask_is_written_beside_the_photo_exactly_as_the_server_sent_it(
    stand_in: StandIn, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photo)]) == 0
    assert (photo.parent / "photo-mask.png").read_bytes() == render(PHOTO)
    assert listing(photo.parent) == {"photo.png", "photo-mask.png"}
    told = capsys.readouterr().out
    for word in ("photo-mask.png", "16 x 12", "round trip", "decode 1.5 ms, infer 12.0 ms", MODEL, "cold start"):
        assert word in told


def test_one_photo_is_asked_for_again_though_its_mask_is_there(stand_in: StandIn, photo: Path) -> None:
    assert main([str(photo)]) == main([str(photo)]) == 0
    assert len(stand_in.seen) == 2


def test_the_address_may_be_given_on_the_command_line(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SILHOUETTE_URL", "http://127.0.0.1:9")
    with standing_in() as other:
        assert main([str(photo), "--url", other.url]) == 0


@pytest.mark.parametrize("output", ["mask", "probability", "overlay", "cutout", "json"])
def test_each_output_has_a_name_of_its_own(stand_in: StandIn, photo: Path, output: str) -> None:
    assert main([str(photo), "--output", output]) == 0
    made = photo.with_name("photo-mask.json" if output == "json" else f"photo-{output}.png")
    assert made.read_bytes() == render(PHOTO, output)


def test_options_reach_the_server(stand_in: StandIn, photo: Path) -> None:
    assert main([str(photo), "--threshold", "0.3", "--class", "cat", "--size", "model"]) == 0
    assert stand_in.seen[0].query == {"threshold": "0.3", "class": "cat", "size": "model"}


@pytest.mark.parametrize(
    ("out", "made"), [("here.png", "here.png"), ("new", "new/photo-mask.png"), ("a/b/c.png", "a/b/c.png")]
)
def test_out_is_a_file_or_a_folder(stand_in: StandIn, photo: Path, out: str, made: str) -> None:
    assert main([str(photo), "--out", str(photo.parent / out)]) == 0
    assert (photo.parent / made).read_bytes() == render(PHOTO)


def test_out_may_be_a_folder_with_a_dot_in_its_name_if_it_is_there(stand_in: StandIn, photo: Path) -> None:
    (photo.parent / "v1.2").mkdir()
    assert main([str(photo), "--out", str(photo.parent / "v1.2")]) == 0
    assert (photo.parent / "v1.2" / "photo-mask.png").is_file()


def test_a_photo_comes_from_standard_input_and_its_mask_goes_to_standard_output(stand_in: StandIn) -> None:
    done = subprocess.run([sys.executable, "-m", "client", "-"], input=PHOTO, capture_output=True, cwd=ROOT, check=True)
    assert done.stdout == render(PHOTO)
    assert b"16 x 12" in done.stderr


def test_compare_puts_photo_mask_and_overlay_side_by_side(stand_in: StandIn, photo: Path) -> None:
    picture = photo.with_name("side-by-side.png")
    assert main([str(photo), "--compare", str(picture)]) == 0
    with Image.open(picture) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    assert pixels.shape == (12, 3 * 16 + 2 * 6, 3)
    for left, output in ((0, None), (22, "mask"), (44, "overlay")):
        with Image.open(io.BytesIO(render(PHOTO, output) if output else PHOTO)) as expected:
            assert np.array_equal(pixels[:, left : left + 16], np.asarray(expected.convert("RGB")))
    assert photo.with_name("photo-mask.png").read_bytes() == render(PHOTO)


def test_a_colour_behind_a_cutout_shows_where_the_photo_is_clear(stand_in: StandIn, photo: Path) -> None:
    assert main([str(photo), "--background", "#ff0000"]) == 0
    with Image.open(photo.with_name("photo-cutout.png")) as made, Image.open(io.BytesIO(PHOTO)) as original:
        pixels, before = np.asarray(made), np.asarray(original)
        bright = np.asarray(original.convert("L")) >= 128
    assert pixels.shape == (12, 16, 3)
    assert (pixels[~bright] == (255, 0, 0)).all()
    assert np.array_equal(pixels[bright], before[bright])


def test_a_picture_behind_a_cutout_is_made_to_fit(stand_in: StandIn, photo: Path) -> None:
    behind = photo.with_name("behind.png")
    Image.new("RGB", (100, 10), (0, 0, 255)).save(behind)
    assert main([str(photo), "--background", str(behind)]) == 0
    with Image.open(photo.with_name("photo-cutout.png")) as made, Image.open(io.BytesIO(PHOTO)) as original:
        dark = np.asarray(original.convert("L")) < 128
        assert (np.asarray(made)[dark] == (0, 0, 255)).all()


def test_the_servers_own_words_go_to_standard_error_as_one_line(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.jpg").write_text("no photo")
    assert main([str(tmp_path / "text.jpg")]) == 1
    told = capsys.readouterr()
    assert told.err == "this is not a photo that can be read\n"
    assert told.out == ""
    assert listing(tmp_path) == {"text.jpg"}


def test_a_try_that_fails_is_spoken_of(stand_in: StandIn, photo: Path, caplog: pytest.LogCaptureFixture) -> None:
    stand_in.fail = lambda number, seen: busy(503, Retry_After="0") if number == 1 else None
    assert main([str(photo)]) == 0
    assert "503 Service Unavailable: trying again" in caplog.text


def test_a_photo_that_is_not_there_is_named(stand_in: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-photo.jpg"]) == 1
    assert capsys.readouterr().err == "no-such-photo.jpg: no such file or directory\n"


def test_a_result_that_cannot_be_written_is_said_and_leaves_nothing(
    stand_in: StandIn, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photo.parent / "taken").write_text("a file where the folder should be")
    assert main([str(photo), "--out", str(photo.parent / "taken" / "mask.png")]) == 1
    assert "cannot write" in capsys.readouterr().err
    assert listing(photo.parent) == {"photo.png", "taken"}


def test_quiet_says_nothing_when_all_is_well(
    stand_in: StandIn, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photo), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_log_has_a_line_of_json_for_the_photo(stand_in: StandIn, photo: Path) -> None:
    log = photo.with_name("run.log")
    assert main([str(photo), "--log", str(log)]) == 0
    line = json.loads(log.read_text())
    assert (line["photo"], line["status"], line["size_wh"]) == (str(photo), "done", [16, 12])
    assert (line["model"], line["cold_start"], line["tries"]) == (MODEL, True, 1)


@pytest.mark.skipif(os.name != "posix", reason="stands in for xdg-open, which only such systems have")
@pytest.mark.skipif(sys.platform == "darwin", reason="stands in for xdg-open")
def test_show_opens_the_result(stand_in: StandIn, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    ("arguments", "words"),
    [
        (["p.jpg", "--output", "painting"], "invalid choice"),
        (["p.jpg", "--url", "localhost:8080"], "begins with http"),
        (["p.jpg", "--jobs", "0"], "not a number from 1"),
        (["p.jpg", "--deadline", "-1"], "not a number of seconds"),
        (["p.jpg", "--background", "no-such-colour"], "neither a colour nor a picture"),
        (["p.jpg", "--background", "red", "--output", "mask"], "--background is for"),
        (["p.jpg", "--contact-sheet", "sheet.txt"], "not called like a picture"),
        (["p.jpg", "--contact-sheet", "sheet.png", "--output", "json"], "--contact-sheet needs pictures"),
        (["-", "p.jpg"], "stands alone"),
        ([], "PHOTO"),
    ],
)
def test_a_mistake_in_the_command_is_explained_before_anything_is_sent(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_a_picture_that_compare_cannot_write_is_refused_before_anything_is_sent(
    stand_in: StandIn, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photo), "--compare", str(photo.with_name("compare.txt"))]) == 2
    assert "--compare writes a picture" in capsys.readouterr().err
    assert stand_in.seen == []


def test_a_private_function_is_said_to_be_one(
    stand_in: StandIn, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.fail = lambda number, seen: Failure(403, media_type="text/html", body=b"<h1>Forbidden")
    assert main([str(photo)]) == 1
    assert "identity token" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model", "flask", "google.auth", "tensorflow"])
def test_the_client_alone_needs_no_server_and_no_model(name: str) -> None:
    code = f"import sys, client.__main__; sys.exit({name!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
