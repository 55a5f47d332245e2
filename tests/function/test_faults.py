from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from model.options import Options
from model.segmenter import Segmenter
from model.serving.settings import Settings
from tests.support.function_process import Function, launched
from tests.support.paths import ROOT
from tests.support.raw_http import connect, read_response, request_head

UNDER_WAY = 8
GRACE_S = 10  # which the cloud gives an instance between SIGTERM and SIGKILL
FAULTY = """
import pathlib
from model.tflite import pool

flag = pathlib.Path({flag!r})

class Faulty(pool.tflite.Interpreter):
    broken = False

    def invoke(self):
        if flag.exists():
            flag.unlink()
            self.broken = True
        if self.broken:
            raise RuntimeError("this interpreter is broken for good")
        super().invoke()

pool.tflite.Interpreter = Faulty
from main import run
"""


@pytest.fixture
def function() -> Iterator[Function]:
    with launched() as function:
        yield function


@pytest.fixture(scope="module")
def right(sample: bytes) -> bytes:
    """The mask of the sample photo, made in this process."""
    segmenter = Segmenter(Settings())
    return segmenter.segment(sample, Options.parse({}, segmenter.card)).body


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def begin(stack: ExitStack, function: Function, sample: bytes) -> list[socket.socket]:
    """Send some photos but for their last byte, and wait until each has its thread."""
    assert httpx.post(function.url, content=sample, timeout=60).status_code == 200
    before = function.threads()
    connections = [stack.enter_context(connect(function.port)) for _ in range(UNDER_WAY)]
    for connection in connections:
        connection.sendall(request_head(f"Content-Length: {len(sample)}") + sample[:-1])
    wait_until(lambda: function.threads() >= before + UNDER_WAY - 2)  # two may be there and free
    return connections


def test_requests_under_way_when_the_function_is_told_to_stop_get_their_masks_and_it_ends_well(
    function: Function, sample: bytes, right
) -> None:
    with ExitStack() as stack:
        connections = begin(stack, function, sample)
        function.process.terminate()
        time.sleep(0.5)
        for connection in connections:
            connection.sendall(sample[-1:])
            assert read_response(connection) == (200, right)
    assert function.process.wait(GRACE_S) == 0


def test_who_comes_after_it_was_told_to_stop_is_not_served_and_not_kept_waiting_beyond_its_end(
    function: Function, sample: bytes
) -> None:
    with ExitStack() as stack:
        connections = begin(stack, function, sample)
        function.process.terminate()
        time.sleep(0.5)
        late = [begun(stack, function.port, sample) for _ in range(3)]
        for connection in connections:
            connection.sendall(sample[-1:])
            assert read_response(connection)[0] == 200
        assert function.process.wait(GRACE_S) == 0
        assert [connection and read_response(connection)[0] for connection in late] in ([None] * 3, [0] * 3)


def begun(stack: ExitStack, port: int, sample: bytes) -> socket.socket | None:
    """Send a whole request; nothing where the connection is refused at once."""
    try:
        connection = stack.enter_context(connect(port))
        connection.sendall(request_head(f"Content-Length: {len(sample)}") + sample)
    except ConnectionError:
        return None
    return connection


def test_who_never_ends_his_request_does_not_keep_the_function_from_stopping(function: Function, sample: bytes) -> None:
    with ExitStack() as stack:
        begin(stack, function, sample)
        function.process.terminate()
        assert function.process.wait(GRACE_S) == 0


def test_a_worker_that_is_killed_is_replaced_and_the_next_photo_gets_its_mask(
    function: Function, sample: bytes, right
) -> None:
    assert httpx.post(function.url, content=sample, timeout=60).content == right
    (first,) = function.workers()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: function.workers() not in ([], [first]))
    with httpx.Client(base_url=function.url, timeout=60) as client:
        assert client.post("/", content=sample).content == right
    assert function.process.poll() is None


def test_an_interpreter_that_breaks_costs_one_request_and_is_replaced(sample: bytes, right, tmp_path: Path) -> None:
    flag, source = tmp_path / "break", tmp_path / "faulty.py"
    source.write_text(FAULTY.format(flag=str(flag)))
    with (
        launched(main=source, INTERPRETERS="1", PYTHONPATH=str(ROOT)) as function,
        httpx.Client(base_url=function.url, timeout=60) as client,
    ):
        assert client.post("/", content=sample).content == right
        flag.touch()
        broken = client.post("/", content=sample)
        assert (broken.status_code, broken.json()["code"]) == (500, "inference-failed")
        assert broken.headers["content-type"] == "application/problem+json"
        assert "broken for good" not in broken.text
        for _ in range(3):
            assert client.post("/", content=sample).content == right
