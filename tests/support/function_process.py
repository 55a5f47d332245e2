"""The function behind functions-framework's server, in a child process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

START_TIMEOUT_S, STOP_TIMEOUT_S = 30.0, 20.0


@dataclass(frozen=True)
class Function:
    """A running function.

    Attributes:
        port: The port that it listens on.
        process: gunicorn's master process, whose child is the worker.
    """

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """The URL of the function."""
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """Return the process ids of gunicorn's workers."""
        return [int(pid) for pid in _read(f"/proc/{self.process.pid}/task/{self.process.pid}/children").split()]

    def pss_mb(self) -> float:
        """Return the memory of all processes in MiB, with each shared page counted once."""
        return self._sum("smaps_rollup", "Pss:") / 1024

    def threads(self) -> int:
        """Return the number of threads of all processes."""
        return self._sum("status", "Threads:")

    def _sum(self, file: str, field: str) -> int:
        """Add up a field of a file in /proc over all processes."""
        lines = [
            line for pid in (self.process.pid, *self.workers()) for line in _read(f"/proc/{pid}/{file}").splitlines()
        ]
        return sum(int(line.split()[1]) for line in lines if line.startswith(field))


@contextmanager
def launched(
    env: Mapping[str, str] | None = None,
    *,
    port: int = 0,
    main: Path = ROOT / "main.py",
    wrapper: Sequence[str] = (),
) -> Iterator[Function]:
    """Run the function as Cloud Run does, and stop it at the end.

    Args:
        env: Environment variables.
        port: The port; 0 for any free one.
        main: The source file with the function.
        wrapper: A command that runs the server, which is appended to it.

    Yields:
        The function, once it answers.
    """
    port = port or free_port()
    command = [*wrapper, sys.executable, "-m", "functions_framework", "--target", "run", "--source", str(main)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "THREADS": "16", **(env or {})}, text=True)
    function = Function(port, process)
    try:
        _wait_until_it_answers(function)
        yield function
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)


@contextmanager
def serving(**env: str) -> Iterator[str]:
    """Run the function with some environment variables, and yield its URL."""
    with launched(env) as function:
        yield function.url


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_answers(function: Function) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert function.process.poll() is None, f"the function exited with code {function.process.returncode}"
        try:
            urllib.request.urlopen(function.url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # without a model, it answers 503
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the function did not answer within {START_TIMEOUT_S:.0f} s")


def _read(file: str) -> str:
    try:
        return Path(file).read_text()
    except OSError:
        return ""  # the process has ended
