"""The batch command, interrupted and continued."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.cli.main import main
from tests.support.fake_function import FakeFunction, render, running_fake, sha256
from tests.support.images import random_image
from tests.support.origins import without_origin
from tests.support.paths import ROOT
from tests.support.photo_folder import write_photo

COUNT = 120
JOBS = 4

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


@pytest.fixture
def fake() -> Iterator[FakeFunction]:
    with running_fake(delay_s=0.02) as running:
        yield running


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for seed in range(COUNT):
        write_photo(tmp_path / "photos" / f"{seed % 3}" / f"{seed}.png", seed)
    return tmp_path / "photos"


def command(fake: FakeFunction, photos: Path) -> list[str]:
    out = ["--out", str(photos.parent / "out"), "--log", str(photos.parent / "run.log")]
    return [str(photos), *out, "--url", fake.url, "--jobs", str(JOBS)]


def start(fake: FakeFunction, photos: Path, masks: int) -> subprocess.Popen[bytes]:
    """Start the command in a process, and wait until the fake has sent a number of masks."""
    process = subprocess.Popen(
        [sys.executable, "-m", "client", *command(fake, photos)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # A background job inherits that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while fake.masks_sent.total() < masks and process.poll() is None:
        time.sleep(0.002)
    return process


def done_seeds(photos: Path) -> set[int]:
    return {int(path.name.removesuffix("-mask.png")) for path in (photos.parent / "out").rglob("*-mask.png")}


def check_results(photos: Path) -> None:
    out = photos.parent / "out"
    for seed in range(COUNT):
        assert without_origin(out / f"{seed % 3}" / f"{seed}-mask.png") == render(random_image(seed))
    assert sum(1 for path in out.rglob("*") if path.is_file()) == COUNT, "other files were left behind"


def test_after_ctrl_c_the_same_command_continues_and_repeats_no_photo(fake: FakeFunction, photos: Path) -> None:
    process = start(fake, photos, masks=40)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in output
    assert b"run the same command to continue" in output
    assert 40 <= len(done_seeds(photos)) < COUNT
    assert fake.masks_sent.total() == len(done_seeds(photos))
    assert main(command(fake, photos)) == 0
    check_results(photos)
    assert set(fake.masks_sent.values()) == {1}


def test_a_second_ctrl_c_stops_at_once_and_leaves_no_partial_file(fake: FakeFunction, photos: Path) -> None:
    process = start(fake, photos, masks=40)
    fake.delay_s = 5
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    while b"Ctrl-C again" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    fake.delay_s = 0
    assert main(command(fake, photos)) == 0
    check_results(photos)


def test_after_a_kill_the_same_command_continues_and_repeats_no_finished_photo(
    fake: FakeFunction, photos: Path
) -> None:
    process = start(fake, photos, masks=40)
    process.kill()
    process.communicate(timeout=60)
    finished = done_seeds(photos)
    assert 40 - JOBS <= len(finished) < COUNT
    requests_before = len(fake.uploads)
    assert main(command(fake, photos)) == 0
    check_results(photos)
    sent_again = {sha256(request.body) for request in fake.uploads[requests_before:]}
    assert not sent_again & {sha256(random_image(seed)) for seed in finished}
    assert fake.masks_sent.total() <= COUNT + JOBS
