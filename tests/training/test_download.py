from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from model.training import dataset
from model.training.cli import CommandError
from model.training.data import download
from tests.support.training import RunCommand, draw, error_line

DATA = np.random.default_rng(0).bytes(700_000)
MD5 = hashlib.md5(DATA).hexdigest()


class Files(ThreadingHTTPServer):
    """A server of the files given, which may cut its answers short and may know no ranges."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.asked, self.ranges = files, [], True
        self.cut_after: list[int] = []  # bytes after which each of the next answers breaks off
        self.failing = 0  # answers of 503 to come
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Files

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        data = server.files.get(self.path[1:])
        if server.failing or data is None:
            server.failing = max(0, server.failing - 1)
            self.send_error(503 if data is not None else 404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = start + server.cut_after.pop(0) if server.cut_after else len(data)
        self.wfile.write(data[start:end])

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Files]:
    server = Files(files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server():
    with serving({"a.bin": DATA}) as running:
        yield running


def fetch(server, target, md5=MD5, name="a.bin") -> None:
    download.fetch(f"{server.url}/{name}", target, md5, pause_s=0)


def test_a_file_is_fetched_once(server: str, tmp_path: Path) -> None:
    for _ in range(2):
        fetch(server, tmp_path / "data" / "a.bin")
    assert (tmp_path / "data" / "a.bin").read_bytes() == DATA
    assert server.asked == [None]


def test_a_cut_connection_is_taken_up_where_it_broke_off(server: str, tmp_path: Path) -> None:
    server.cut_after = [300_000, 200_000]
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert server.asked == [None, "bytes=300000-", "bytes=500000-"]


def test_what_an_earlier_process_left_is_gone_on_with(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(DATA[:123_456])
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert server.asked == ["bytes=123456-"]
    assert not (tmp_path / "a.bin.part").exists()


def test_a_server_without_ranges_begins_anew(server: str, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_whole_part_needs_nothing_more(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(DATA)
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_wrong_checksum_leaves_nothing(server: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="MD5 differs"):
        fetch(server, tmp_path / "a.bin", md5="0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_recovers_is_waited_for(server: str, tmp_path: Path) -> None:
    server.failing = 3
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_server_that_does_not_recover_is_given_up_and_what_came_is_kept(server: str, tmp_path: Path) -> None:
    server.cut_after = [100_000, *[0] * 20]
    with pytest.raises(CommandError, match="the same command goes on with it"):
        fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin.part").read_bytes() == DATA[:100_000]


def test_a_missing_file_is_refused_at_once(server: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="404"):
        fetch(server, tmp_path / "b.bin", name="b.bin")
    assert server.asked == [None]


def archive(folder, name):
    with io.BytesIO() as stream:
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            tar.add(folder, name)
            junk = tarfile.TarInfo(f"{name}/._junk.png")
            tar.addfile(junk)
        return stream.getvalue()


def test_the_pets_are_fetched_unpacked_and_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, masks = draw(tmp_path / "theirs", 12)
    files = {"images.tar.gz": archive(photos, "images"), "annotations.tar.gz": archive(masks, "annotations/trimaps")}
    sums = {n.partition(".")[0]: (n, hashlib.md5(data).hexdigest()) for n, data in files.items()}
    monkeypatch.setattr(dataset, "ARCHIVES", sums)
    out = tmp_path / "ours"
    with serving(files) as server:
        for _ in range(2):
            dataset.main(["--url", server.url, "--out", str(out)])
        assert len(server.asked) == 2
    assert "12 pairs, masks of the kind trimap" in capsys.readouterr().out
    assert {p.name for p in out.iterdir() if p.is_dir()} == {"images", "annotations"}
    assert (out / "dataset.png").stat().st_size > 1000


def test_an_archive_that_is_none_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(DATA)
    with pytest.raises(CommandError, match="not the archive that was expected"):
        dataset.unpack(tmp_path / "a.tar.gz", tmp_path, "images")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]


def test_broken_pairs_of_ones_own_are_listed_and_end_with_an_error(tmp_path: Path, run_command: RunCommand) -> None:
    photos, masks = draw(tmp_path, 4)
    (photos / "round_1.jpg").write_bytes(b"")
    done = run_command("dataset", "--photos", photos, "--masks", masks, "--out", tmp_path / "out")
    assert "1 pairs are broken" in error_line(done)
    assert "broken: round_1.jpg" in done.stdout
    assert (tmp_path / "out" / "dataset.json").exists()
