"""A run over many photos that is stopped, and gone on with by the same command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.__main__ import main
from tests.client.test_fake_server import StandIn, digest, make_photo, render, standing_in
from tests.support.paths import ROOT

COUNT = 120
JOBS = 4

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals, which Windows has not")


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with standing_in(pause_s=0.02) as running:
        yield running


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for seed in range(COUNT):
        path = tmp_path / "photos" / f"{seed % 3}" / f"{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_photo(seed))
    return tmp_path / "photos"


def command(stand_in: StandIn, photos: Path) -> list[str]:
    out = ["--out", str(photos.parent / "out"), "--log", str(photos.parent / "run.log")]
    return [str(photos), *out, "--url", stand_in.url, "--jobs", str(JOBS)]


def start(stand_in: StandIn, photos: Path, answers: int) -> subprocess.Popen[bytes]:
    """Start the command as its own process, and wait until so many photos are answered."""
    process = subprocess.Popen(
        [sys.executable, "-m", "client", *command(stand_in, photos)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Where the tests run in the background, Ctrl-C may be ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while stand_in.answered.total() < answers and process.poll() is None:
        time.sleep(0.002)
    return process


def done_seeds(photos: Path) -> set[int]:
    return {int(path.name.removesuffix("-mask.png")) for path in (photos.parent / "out").rglob("*-mask.png")}


def check_all_is_right(photos: Path) -> None:
    out = photos.parent / "out"
    for seed in range(COUNT):
        assert (out / f"{seed % 3}" / f"{seed}-mask.png").read_bytes() == render(make_photo(seed))
    assert sum(1 for path in out.rglob("*") if path.is_file()) == COUNT, "something else was left behind"


def test_after_ctrl_c_the_same_command_does_the_rest_and_no_photo_twice(stand_in: StandIn, photos: Path) -> None:
    process = start(stand_in, photos, answers=40)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in told
    assert b"the same command goes on with them" in told
    assert 40 <= len(done_seeds(photos)) < COUNT
    assert stand_in.answered.total() == len(done_seeds(photos))
    assert main(command(stand_in, photos)) == 0
    check_all_is_right(photos)
    assert set(stand_in.answered.values()) == {1}


def test_a_second_ctrl_c_stops_at_once_and_leaves_no_half_file(stand_in: StandIn, photos: Path) -> None:
    process = start(stand_in, photos, answers=40)
    stand_in.pause_s = 5
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    while b"Ctrl-C again" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    stand_in.pause_s = 0
    assert main(command(stand_in, photos)) == 0
    check_all_is_right(photos)


def test_after_a_kill_the_same_command_does_the_rest_and_nothing_that_was_done(stand_in: StandIn, photos: Path) -> None:
    process = start(stand_in, photos, answers=40)
    process.kill()
    process.communicate(timeout=60)
    kept = done_seeds(photos)
    assert 40 - JOBS <= len(kept) < COUNT
    asked_before = len(stand_in.seen)
    assert main(command(stand_in, photos)) == 0
    check_all_is_right(photos)
    asked_again = {digest(seen.body) for seen in stand_in.seen[asked_before:]}
    assert not asked_again & {digest(make_photo(seed)) for seed in kept}
    assert stand_in.answered.total() <= COUNT + JOBS
