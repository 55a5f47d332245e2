"""An instance of a revision: functions-framework in a process, with a memory limit."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.function_process import free_port

START_LIMIT_S = 60.0
POLL_S = 0.05


class StartFailed(Exception):
    """The process ended, exceeded its memory, or took too long before it listened on its port."""


class Instance:
    """At most one process that serves a revision, started on demand.

    Attributes:
        port: The port that the process listens on.
        peak_bytes: The largest memory that was measured.
        log_path: The log of the process.
    """

    def __init__(
        self, python: Path, source: Path, env: Mapping[str, str], memory_limit_bytes: int, log_path: Path
    ) -> None:
        self._python, self._source, self._env = python, source, dict(env)
        self._limit = memory_limit_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.port = 0
        self.peak_bytes = 0
        self.log_path = log_path

    def ensure_running(self) -> int:
        """Start the process unless it is running, and return its port.

        Raises:
            StartFailed: If the process does not start.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            return self.port

    def within_memory(self) -> bool:
        """Return whether the process is within its memory limit; if not, end it, as Cloud Run does."""
        if self._process is None:
            return True
        used = resident_bytes(self._process.pid)
        self.peak_bytes = max(self.peak_bytes, used)
        if used <= self._limit:
            return True
        self.stop()
        return False

    def stop(self) -> None:
        """End the process if it is running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> None:
        self.port = free_port()
        command = [str(self._python.parent / "functions-framework"), "--target", "run"]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._source, env=self._env | {"PORT": str(self.port)}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_LIMIT_S
        while not listens(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise StartFailed(self.log_path.read_text(errors="replace")[-2000:])
            time.sleep(POLL_S)
        if not self.within_memory():
            raise StartFailed(f"Memory limit exceeded with {self.peak_bytes // 2**20} MiB used.")


def listens(port: int) -> bool:
    """Return whether a process listens on a port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def resident_bytes(pid: int) -> int:
    """Return the memory of a process and its children; 0 on a system without /proc.

    Shared pages count once, even if other processes on this machine share them: in the cloud none would.
    """
    private_kb, shared_kb = 0, [0]
    for member in [pid, *children(pid)]:
        try:
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue
        sizes = {line.split()[0]: int(line.split()[1]) for line in lines}
        private_kb += sizes["Private_Clean:"] + sizes["Private_Dirty:"]
        shared_kb.append(sizes["Shared_Clean:"] + sizes["Shared_Dirty:"])
    return (private_kb + max(shared_kb)) * 1024


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in files for child in file.read_text().split()]
