"""The command line about many photos."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from client.__main__ import main
from tests.client.test_fake_server import CUT, Failure, Seen, StandIn, busy, digest, make_photo, render, standing_in
from tests.support.paths import ROOT

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


def fail_for(seed: int, failure: Failure) -> Callable[[int, Seen], Failure | None]:
    return lambda number, seen: failure if seen.body == make_photo(seed) else None


def test_what_is_done_is_skipped_and_force_redoes_it(
    stand_in: StandIn, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(photos)])
    (photos / "b-mask.png").unlink()
    assert main([str(photos)]) == 0
    assert "done 1, skipped 3, failed 0" in capsys.readouterr().out
    assert main([str(photos), "--force"]) == 0
    assert "done 4, skipped 0, failed 0" in capsys.readouterr().out


def test_an_empty_result_as_a_power_cut_leaves_it_is_not_taken_for_done(stand_in: StandIn, photos: Path) -> None:
    (photos / "a-mask.png").touch()
    assert main([str(photos)]) == 0
    assert (photos / "a-mask.png").read_bytes() == render(make_photo(0))


def test_a_photo_that_fails_does_not_stop_the_rest(
    stand_in: StandIn, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.jpg").write_text("no photo")
    assert main([str(photos), str(photos / "gone.jpg")]) == 1
    told = capsys.readouterr()
    assert "done 4, skipped 0, failed 2" in told.out
    assert "broken.jpg: this is not a photo that can be read" in told.err
    assert "gone.jpg: no such file or directory" in told.err
    assert "1 x not-a-photo" in told.out
    assert listing(photos) == {*NAMES, *mask_names(NAMES), "broken.jpg"}


def test_the_summary_counts_tries_and_cold_starts(
    stand_in: StandIn, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.fail = lambda number, seen: busy(503, Retry_After="0") if number == 2 else None
    assert main([str(photos), "--jobs", "1"]) == 0
    told = capsys.readouterr().out
    assert "cold starts 1; tried again 1" in told
    assert "p50" in told
    assert "p95" in told


@pytest.mark.skipif(sys.platform == "win32", reason="makes a terminal, which Windows makes otherwise")
def test_on_a_terminal_a_bar_shows_rate_and_time_left(stand_in: StandIn, tmp_path: Path) -> None:
    import pty

    for seed in range(30):
        put(tmp_path / f"{seed}.png", seed)
    stand_in.pause_s = 0.03
    terminal, other_end = pty.openpty()
    command = [sys.executable, "-m", "client", str(tmp_path), "--jobs", "2"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=other_end) as process:
        os.close(other_end)
        shown = b""
        with contextlib.suppress(OSError):  # which is how a terminal ends
            while piece := os.read(terminal, 65536):
                shown += piece
    os.close(terminal)
    assert process.returncode == 0
    assert b"/30  " in shown
    assert b"photos/s" in shown
    assert b"left" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pipe that breaks")
def test_whoever_stops_listening_gets_no_traceback(stand_in: StandIn, photos: Path) -> None:
    command = [sys.executable, "-m", "client", str(photos)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        told = process.stderr.read()
    assert b"Traceback" not in told
    assert b"Exception" not in told


def test_the_log_has_a_line_for_each_photo_and_mends_half_a_line(
    stand_in: StandIn, photos: Path, tmp_path: Path
) -> None:
    log = tmp_path / "run.log"
    log.write_text('{"photo": "half a li')
    stand_in.fail = fail_for(1, Failure(422, "broken-photo", "the photo is cut short"))
    assert main([str(photos), "--log", str(log)]) == 1
    stand_in.fail = lambda number, seen: None
    assert main([str(photos), "--log", str(log)]) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()[1:]]
    assert Counter(line["status"] for line in lines) == {"done": 4, "failed": 1, "skipped": 3}
    [failed] = [line for line in lines if line["status"] == "failed"]
    assert (failed["code"], failed["http_status"], failed["detail"]) == ("broken-photo", 422, "the photo is cut short")


def test_a_function_that_wants_a_token_stops_the_run_at_once(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(30):
        put(tmp_path / f"{seed}.png", seed)
    stand_in.fail = lambda number, seen: busy(403)
    assert main([str(tmp_path), "--jobs", "2"]) == 1
    assert len(stand_in.seen) <= 4
    told = capsys.readouterr()
    assert "the rest would fare no better" in told.err
    assert "(the same command goes on with them)" in told.out


def test_a_server_that_has_gone_for_good_stops_the_run(stand_in: StandIn, tmp_path: Path) -> None:
    for seed in range(30):
        put(tmp_path / f"{seed}.png", seed)
    stand_in.fail = lambda number, seen: CUT
    assert main([str(tmp_path), "--jobs", "2", "--deadline", "0.3"]) == 1
    assert len({digest(seen.body) for seen in stand_in.seen}) < 10


def test_one_photo_that_the_server_dies_of_does_not_stop_the_run(stand_in: StandIn, photos: Path) -> None:
    stand_in.fail = fail_for(0, CUT)
    assert main([str(photos), "--jobs", "1", "--deadline", "0.3"]) == 1
    assert listing(photos) == {*NAMES, *mask_names(NAMES)} - {"a-mask.png"}


def test_compare_writes_one_picture_for_each_photo(stand_in: StandIn, photos: Path, tmp_path: Path) -> None:
    arguments = [str(photos), "--out", str(tmp_path / "out"), "--compare", str(tmp_path / "compared")]
    assert main(arguments) == 0
    assert listing(tmp_path / "compared") == {name.replace("-mask", "-compare") for name in mask_names(NAMES)}
    (tmp_path / "compared" / "b-compare.png").unlink()
    assert main(arguments) == 0
    assert (tmp_path / "compared" / "b-compare.png").is_file()


def test_a_contact_sheet_goes_on_to_the_next_sheet_when_it_is_full(stand_in: StandIn, tmp_path: Path) -> None:
    for seed in range(61):
        put(tmp_path / "in" / f"photo {seed} \u00e9\u4e2d.png", seed)
    sheet = tmp_path / "sheet.png"
    assert main([str(tmp_path / "in"), "--contact-sheet", str(sheet), "--jobs", "8"]) == 0
    with Image.open(sheet) as first, Image.open(tmp_path / "sheet-2.png") as second:
        assert first.width > second.width
        assert first.height > second.height
    assert not (tmp_path / "sheet-3.png").exists()


def test_five_hundred_photos_outlive_a_server_that_fails_one_in_ten_and_restarts(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(500):
        put(tmp_path / "in" / f"{seed % 7}" / f"{seed}.png", seed)
    failures = [busy(503), busy(429), CUT, busy(502, Retry_After="0"), busy(504)]
    restarts: list[int] = []

    def fail(number: int, seen: Seen) -> Failure | None:
        if number > 250 and not restarts:
            restarts.append(number)
            threading.Thread(target=stand_in.restart).start()
        return failures[number // 10 % 5] if number % 10 == 0 else None

    stand_in.fail = fail
    assert main([str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--jobs", "8"]) == 0
    told = capsys.readouterr().out
    assert "done 500, skipped 0, failed 0" in told
    assert "cold starts 2" in told
    assert stand_in.starts == 2
    assert len(listing(tmp_path / "out")) == 500
    for seed in range(500):
        mask = tmp_path / "out" / f"{seed % 7}" / f"{seed}-mask.png"
        assert mask.read_bytes() == render(make_photo(seed))
    assert sum(stand_in.answered.values()) >= 500
