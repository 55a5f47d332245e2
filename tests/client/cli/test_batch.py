"""The batch command."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from client.cli.atomic_write import CannotWrite, write_atomically
from client.cli.main import main
from client.cli.origin import embed_origin, read_source
from client.cli.progress import ProgressBar, format_duration
from tests.support.fake_function import CLOSED, MODEL, Failure, FakeFunction, ReceivedRequest, busy, render, sha256
from tests.support.images import random_image
from tests.support.origins import without_origin
from tests.support.paths import ROOT
from tests.support.photo_folder import MASK_NAMES, NAMES, list_files, write_photo


def fail_for_seed(seed: int, failure: Failure) -> Callable[[int, ReceivedRequest], Failure | None]:
    return lambda number, request: failure if request.body == random_image(seed) else None


def test_photos_with_a_result_are_skipped_unless_force_is_given(
    fake: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(photos)])
    (photos / "b-mask.png").unlink()
    assert main([str(photos)]) == 0
    assert "done 1, skipped 3, failed 0" in capsys.readouterr().out
    assert main([str(photos), "--force"]) == 0
    assert "done 4, skipped 0, failed 0" in capsys.readouterr().out


def test_an_empty_result_file_does_not_count_as_a_result(fake: FakeFunction, photos: Path) -> None:
    (photos / "a-mask.png").touch()
    assert main([str(photos)]) == 0
    assert without_origin(photos / "a-mask.png") == render(random_image(0))


def test_a_photo_that_fails_does_not_stop_the_rest(
    fake: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.jpg").write_text("not a photo")
    assert main([str(photos), str(photos / "missing.jpg")]) == 1
    output = capsys.readouterr()
    assert "done 4, skipped 0, failed 2" in output.out
    assert "broken.jpg: the body is not a supported image" in output.err
    assert "missing.jpg: no such file or directory" in output.err
    assert "1 x not-a-photo" in output.out
    assert list_files(photos) == {*NAMES, *MASK_NAMES, "broken.jpg"}


def test_the_summary_counts_retries_and_cold_starts(
    fake: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.fail = lambda number, request: busy(503, Retry_After="0") if number == 2 else None
    assert main([str(photos), "--jobs", "1"]) == 0
    output = capsys.readouterr().out
    assert "cold starts 1; retried 1" in output
    assert "p50" in output
    assert "p95" in output


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX pseudo-terminal")
def test_a_progress_bar_on_a_terminal_shows_rate_and_time_left(fake: FakeFunction, tmp_path: Path) -> None:
    import pty

    for seed in range(30):
        write_photo(tmp_path / f"{seed}.png", seed)
    fake.delay_s = 0.03
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "client", str(tmp_path), "--jobs", "2"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # raised when the other end is closed
            while chunk := os.read(controller, 65536):
                shown += chunk
    os.close(controller)
    assert process.returncode == 0
    assert b"/30  " in shown
    assert b"photos/s" in shown
    assert b"left" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX pipes")
def test_a_closed_pipe_on_standard_output_causes_no_traceback(fake: FakeFunction, photos: Path) -> None:
    command = [sys.executable, "-m", "client", str(photos)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        output = process.stderr.read()
    assert b"Traceback" not in output
    assert b"Exception" not in output


def test_the_log_has_a_line_per_photo_and_starts_a_new_line_after_a_partial_one(
    fake: FakeFunction, photos: Path, tmp_path: Path
) -> None:
    log = tmp_path / "run.log"
    log.write_text('{"photo": "half a li')
    fake.fail = fail_for_seed(1, Failure(422, "broken-photo", "the photo is truncated"))
    assert main([str(photos), "--log", str(log)]) == 1
    fake.fail = lambda number, request: None
    assert main([str(photos), "--log", str(log)]) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()[1:]]
    assert Counter(line["status"] for line in lines) == {"done": 4, "failed": 1, "skipped": 3}
    [failed] = [line for line in lines if line["status"] == "failed"]
    assert (failed["code"], failed["http_status"], failed["detail"]) == ("broken-photo", 422, "the photo is truncated")


def test_a_missing_identity_token_stops_the_run(
    fake: FakeFunction, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(30):
        write_photo(tmp_path / f"{seed}.png", seed)
    fake.fail = lambda number, request: busy(403)
    assert main([str(tmp_path), "--jobs", "2"]) == 1
    assert len(fake.requests) <= 4
    output = capsys.readouterr()
    assert "the remaining photos would fail too" in output.err
    assert "(run the same command to continue)" in output.out


def test_a_server_that_stays_unreachable_stops_the_run(fake: FakeFunction, tmp_path: Path) -> None:
    for seed in range(30):
        write_photo(tmp_path / f"{seed}.png", seed)
    fake.fail = lambda number, request: CLOSED
    assert main([str(tmp_path), "--jobs", "2", "--deadline", "0.3"]) == 1
    assert len({sha256(request.body) for request in fake.requests}) < 10


def test_one_photo_that_crashes_the_server_does_not_stop_the_run(fake: FakeFunction, photos: Path) -> None:
    fake.fail = fail_for_seed(0, CLOSED)
    assert main([str(photos), "--jobs", "1", "--deadline", "0.3"]) == 1
    assert list_files(photos) == {*NAMES, *MASK_NAMES} - {"a-mask.png"}


def test_compare_writes_an_image_per_photo(fake: FakeFunction, photos: Path, tmp_path: Path) -> None:
    arguments = [str(photos), "--out", str(tmp_path / "out"), "--compare", str(tmp_path / "compared")]
    assert main(arguments) == 0
    assert list_files(tmp_path / "compared") == {name.replace("-mask", "-compare") for name in MASK_NAMES}
    (tmp_path / "compared" / "b-compare.png").unlink()
    assert main(arguments) == 0
    assert (tmp_path / "compared" / "b-compare.png").is_file()


def test_photos_beyond_the_first_contact_sheet_go_to_the_next(fake: FakeFunction, tmp_path: Path) -> None:
    for seed in range(61):
        write_photo(tmp_path / "in" / f"photo {seed} \u00e9\u4e2d.png", seed)
    sheet = tmp_path / "sheet.png"
    assert main([str(tmp_path / "in"), "--contact-sheet", str(sheet), "--jobs", "8"]) == 0
    with Image.open(sheet) as first, Image.open(tmp_path / "sheet-2.png") as second:
        assert first.width > second.width
        assert first.height > second.height
    assert not (tmp_path / "sheet-3.png").exists()


def test_a_run_of_500_photos_survives_failures_and_a_restart_of_the_server(
    fake: FakeFunction, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(500):
        write_photo(tmp_path / "in" / f"{seed % 7}" / f"{seed}.png", seed)
    failures = [busy(503), busy(429), CLOSED, busy(502, Retry_After="0"), busy(504)]
    restarts: list[int] = []

    def fail(number: int, request: ReceivedRequest) -> Failure | None:
        if number > 250 and not restarts:
            restarts.append(number)
            threading.Thread(target=fake.restart).start()
        return failures[number // 10 % 5] if number % 10 == 0 else None

    fake.fail = fail
    assert main([str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--jobs", "8"]) == 0
    output = capsys.readouterr().out
    assert "done 500, skipped 0, failed 0" in output
    assert "cold starts 2" in output
    assert fake.starts == 2
    assert len(list_files(tmp_path / "out")) == 500
    for seed in range(500):
        mask = tmp_path / "out" / f"{seed % 7}" / f"{seed}-mask.png"
        assert without_origin(mask) == render(random_image(seed))
    assert sum(fake.masks_sent.values()) >= 500


def test_an_unexpected_exception_fails_one_photo_only(
    fake: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_for_deep(path: Path, data: bytes) -> None:
        if "deep" in str(path):
            raise RuntimeError("a bug")
        write_atomically(path, data)

    monkeypatch.setattr("client.cli.job.write_atomically", raise_for_deep)
    assert main([str(photos)]) == 1
    output = capsys.readouterr()
    assert "unexpected RuntimeError: a bug" in output.err
    assert "done 2, skipped 0, failed 2" in output.out


@pytest.mark.parametrize("error_number", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk_stops_the_run(
    fake: FakeFunction,
    photos: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error_number: int,
) -> None:
    def fail(path: Path, data: bytes) -> None:
        raise CannotWrite(path, OSError(error_number, os.strerror(error_number)))

    monkeypatch.setattr("client.cli.job.write_atomically", fail)
    assert main([str(photos), "--jobs", "1"]) == 1
    output = capsys.readouterr()
    assert f"would fail too: cannot write {photos / 'a-mask.png'}: {os.strerror(error_number).lower()}" in output.err
    assert "failed 1, remaining 3" in output.out


def test_a_result_that_no_longer_opens_leaves_an_empty_frame_on_the_contact_sheet(
    fake: FakeFunction, photos: Path, tmp_path: Path
) -> None:
    main([str(photos)])
    _, origin = read_source(photos / "a.png")
    origin = replace(origin, options={"output": "mask", "format": "png"}, model=MODEL)
    (photos / "a-mask.png").write_bytes(embed_origin(b"\x89PNG" + bytes(29) + b"no pixels", origin))
    assert main([str(photos), "--contact-sheet", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").is_file()


def test_show_opens_the_folder_of_the_results(
    fake: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows always has a viewer")
    monkeypatch.setenv("PATH", "")
    assert main([str(photos), "--show"]) == 0
    assert f"the result is {photos}\n" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599.4, "59:59"), (3661, "1:01:01")])
def test_durations_have_hours_only_from_one_hour(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_progress_lines_without_a_terminal_are_occasional(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.cli.progress.LINE_EVERY_S", 0.0)
    progress = ProgressBar(4, shown=True)
    progress.update(processed=2, skipped=1, failed=1)
    line = capsys.readouterr().err
    assert line.startswith("[##################......] 3/4  ")
    assert line.endswith(" left  1 failed\n")
    monkeypatch.setattr("client.cli.progress.LINE_EVERY_S", 15.0)
    progress.update(processed=3, skipped=1, failed=1)
    assert capsys.readouterr().err == ""
