"""The processes of the function: shutdown, a killed worker, an interpreter that fails."""

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

from tests.support.function_process import Function, launched
from tests.support.paths import ROOT
from tests.support.raw_http import connect, read_response, request_head

REQUESTS_IN_PROGRESS = 8
TERMINATION_S = 10  # between SIGTERM and SIGKILL on Cloud Run
FAULTY_MAIN = """
import pathlib
from model.tflite import runtime

flag = pathlib.Path({flag!r})

class FaultyInterpreter(runtime.tflite.Interpreter):
    is_broken = False

    def invoke(self):
        if flag.exists():
            flag.unlink()
            self.is_broken = True
        if self.is_broken:
            raise RuntimeError("this interpreter is broken for good")
        super().invoke()

runtime.tflite.Interpreter = FaultyInterpreter
from main import run
"""


@pytest.fixture
def function() -> Iterator[Function]:
    with launched() as function:
        yield function


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def has_unread_bytes(port: int) -> bool:
    """Return whether connections to a port wait to be accepted, or have bytes that the server has not read."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    receive_queues = [row[4].partition(":")[2] for row in rows if row[1].endswith(f":{port:04X}")]
    return any(int(queue, 16) for queue in receive_queues)


def start_requests(stack: ExitStack, function: Function, sample: bytes) -> list[socket.socket]:
    """Send several photos except for the last byte, and wait until a thread reads each request."""
    assert httpx.post(function.url, content=sample, timeout=60).status_code == 200
    connections = [stack.enter_context(connect(function.port)) for _ in range(REQUESTS_IN_PROGRESS)]
    for connection in connections:
        connection.sendall(request_head(f"Content-Length: {len(sample)}") + sample[:-1])
    wait_until(lambda: not has_unread_bytes(function.port))
    return connections


def send_request(stack: ExitStack, port: int, sample: bytes) -> socket.socket | None:
    """Send a whole request, and return its connection; None if the connection is refused."""
    try:
        connection = stack.enter_context(connect(port))
        connection.sendall(request_head(f"Content-Length: {len(sample)}") + sample)
    except ConnectionError:
        return None
    return connection


def test_requests_in_progress_at_shutdown_get_their_masks(
    function: Function, sample: bytes, sample_mask: bytes
) -> None:
    with ExitStack() as stack:
        connections = start_requests(stack, function, sample)
        function.process.terminate()
        time.sleep(0.5)
        for connection in connections:
            connection.sendall(sample[-1:])
            assert read_response(connection) == (200, sample_mask)
    assert function.process.wait(TERMINATION_S) == 0


def test_requests_after_the_start_of_the_shutdown_are_not_served(function: Function, sample: bytes) -> None:
    with ExitStack() as stack:
        connections = start_requests(stack, function, sample)
        function.process.terminate()
        time.sleep(0.5)
        late = [send_request(stack, function.port, sample) for _ in range(3)]
        for connection in connections:
            connection.sendall(sample[-1:])
            assert read_response(connection)[0] == 200
        assert function.process.wait(TERMINATION_S) == 0
        assert [connection and read_response(connection)[0] for connection in late] in ([None] * 3, [0] * 3)


def test_unfinished_requests_do_not_prevent_the_shutdown(function: Function, sample: bytes) -> None:
    with ExitStack() as stack:
        start_requests(stack, function, sample)
        function.process.terminate()
        assert function.process.wait(TERMINATION_S) == 0


def test_a_killed_worker_is_replaced(function: Function, sample: bytes, sample_mask: bytes) -> None:
    assert httpx.post(function.url, content=sample, timeout=60).content == sample_mask
    (first,) = function.workers()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: function.workers() not in ([], [first]))
    with httpx.Client(base_url=function.url, timeout=60) as client:
        assert client.post("/", content=sample).content == sample_mask
    assert function.process.poll() is None


def test_an_interpreter_that_fails_costs_one_request_and_is_replaced(
    sample: bytes, sample_mask: bytes, tmp_path: Path
) -> None:
    flag, source = tmp_path / "break", tmp_path / "faulty.py"
    source.write_text(FAULTY_MAIN.format(flag=str(flag)))
    with (
        launched({"INTERPRETERS": "1", "PYTHONPATH": str(ROOT)}, main=source) as function,
        httpx.Client(base_url=function.url, timeout=60) as client,
    ):
        assert client.post("/", content=sample).content == sample_mask
        flag.touch()
        failed = client.post("/", content=sample)
        assert (failed.status_code, failed.json()["code"]) == (500, "inference-failed")
        assert failed.headers["content-type"] == "application/problem+json"
        assert "broken for good" not in failed.text
        for _ in range(3):
            assert client.post("/", content=sample).content == sample_mask


MAIN_WITHOUT_MEMORY = """
import pathlib
from model.{module} import {name}

flag = pathlib.Path({flag!r})

def failing(function):
    def call(*args, **kwargs):
        if flag.exists():
            flag.unlink()
            raise MemoryError
        return function(*args, **kwargs)
    return call

{name}.{function} = failing({name}.{function})
from main import run
"""


@pytest.mark.parametrize(
    ("module", "name", "function"),
    [
        ("image", "decode", "_load"),
        ("image", "preprocess", "to_input"),
        ("image", "encode", "binary_png"),
        ("serving", "upload", "parse"),
    ],
)
def test_a_lack_of_memory_in_any_stage_is_answered_with_503(
    tmp_path: Path, sample: bytes, sample_mask: bytes, module: str, name: str, function: str
) -> None:
    source, flag = tmp_path / "main_without_memory.py", tmp_path / "flag"
    source.write_text(MAIN_WITHOUT_MEMORY.format(module=module, name=name, function=function, flag=str(flag)))
    with (
        launched({"INTERPRETERS": "1", "PYTHONPATH": str(ROOT)}, main=source) as process,
        httpx.Client(base_url=process.url, timeout=60) as client,
    ):
        flag.touch()
        failed = client.post("/", content=sample)
        assert (failed.status_code, failed.json()["code"]) == (503, "busy")
        assert "not enough memory" in failed.json()["detail"]
        assert int(failed.headers["retry-after"]) >= 1
        assert client.post("/", content=sample).content == sample_mask
