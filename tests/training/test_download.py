"""Downloads: resumed after interruptions, retried after transient errors, and verified."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model.training.cli import CommandError
from model.training.data import download
from tests.support.file_server import FileServer, serving

DATA = np.random.default_rng(0).bytes(700_000)
MD5 = hashlib.md5(DATA).hexdigest()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving({"a.bin": DATA}) as running:
        yield running


def fetch(server: FileServer, target: Path, md5: str = MD5, name: str = "a.bin") -> None:
    download.download(f"{server.url}/{name}", target, md5, pause_s=0)


def test_a_file_is_downloaded_once(server: FileServer, tmp_path: Path) -> None:
    for _ in range(2):
        fetch(server, tmp_path / "data" / "a.bin")
    assert (tmp_path / "data" / "a.bin").read_bytes() == DATA
    assert server.ranges == [None]


def test_an_interrupted_download_resumes_at_the_byte_where_it_stopped(server: FileServer, tmp_path: Path) -> None:
    server.cut_after = [300_000, 200_000]
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert server.ranges == [None, "bytes=300000-", "bytes=500000-"]


def test_a_part_left_by_an_earlier_process_is_resumed(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(DATA[:123_456])
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert server.ranges == ["bytes=123456-"]
    assert not (tmp_path / "a.bin.part").exists()


def test_a_server_without_ranges_sends_the_whole_file_again(server: FileServer, tmp_path: Path) -> None:
    server.supports_ranges = False
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_complete_part_is_accepted(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(DATA)
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_file_with_a_wrong_checksum_is_deleted(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="MD5 of the downloaded file differs"):
        fetch(server, tmp_path / "a.bin", md5="0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_transient_server_errors_are_retried(server: FileServer, tmp_path: Path) -> None:
    server.failures = 3
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_download_that_keeps_failing_ends_with_an_error_and_keeps_its_part(
    server: FileServer, tmp_path: Path
) -> None:
    server.cut_after = [100_000, *[0] * 20]
    with pytest.raises(CommandError, match="run the same command again to resume"):
        fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin.part").read_bytes() == DATA[:100_000]


def test_a_missing_file_is_not_retried(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="404"):
        fetch(server, tmp_path / "b.bin", name="b.bin")
    assert server.ranges == [None]
