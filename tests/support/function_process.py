"""The real function behind the real server, as a process of this machine that can be watched."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

START_LIMIT_S, STOP_LIMIT_S = 30.0, 20.0


@dataclass(frozen=True)
class Function:
    """A function that answers.

    process: gunicorn's master, whose child is the worker
    """

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """List the processes that gunicorn has started."""
        return [int(pid) for pid in _read(f"/proc/{self.process.pid}/task/{self.process.pid}/children").split()]

    def pss_mb(self) -> float:
        """Add up the memory of all its processes, each shared page counted once."""
        lines = [
            line
            for pid in (self.process.pid, *self.workers())
            for line in _read(f"/proc/{pid}/smaps_rollup").splitlines()
        ]
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

    def threads(self) -> int:
        """Count the threads of all its processes."""
        lines = [
            line for pid in (self.process.pid, *self.workers()) for line in _read(f"/proc/{pid}/status").split("\n")
        ]
        return sum(int(line.split()[1]) for line in lines if line.startswith("Threads:"))


@contextmanager
def launched(*before: str, port: int = 0, main: Path = ROOT / "main.py", **env: str) -> Iterator[Function]:
    """Run the function as the cloud runs it, give it once it answers, and stop it.

    before: a command that runs it
    """
    port = port or free_port()
    command = [*before, sys.executable, "-m", "functions_framework", "--target", "run", "--source", str(main)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "THREADS": "16", **env}, text=True)
    function = Function(port, process)
    try:
        _wait(function)
        yield function
    finally:
        process.terminate()
        process.wait(STOP_LIMIT_S)


def free_port() -> int:
    """Ask the system for a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(function: Function) -> None:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        assert function.process.poll() is None, f"the function stopped with {function.process.returncode}"
        try:
            urllib.request.urlopen(function.url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers, if only that it has no model yet
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the function did not answer in {START_LIMIT_S:.0f} s")


def _read(file: str) -> str:
    try:
        return Path(file).read_text()
    except OSError:
        return ""  # the process has ended meanwhile


@contextmanager
def serving(*before: str, **env: str) -> Iterator[str]:
    """Run the function as the cloud runs it, and give its URL once it answers.

    before: a command that runs it
    """
    with launched(*before, **env) as function:
        yield function.url
