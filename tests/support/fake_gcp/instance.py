"""A revision, running: functions-framework in a process of its own, within its memory."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

START_LIMIT_S = 60.0
LOOK_EVERY_S = 0.05


class StartFailed(Exception):
    """The process ended, or took too long, or too much memory, before it listened."""


class Instance:
    """At most one process that serves a revision, started when it is needed."""

    def __init__(self, python: Path, source: Path, env: Mapping[str, str], memory_limit_bytes: int) -> None:
        self._python, self._source, self._env = python, source, dict(env)
        self._limit = memory_limit_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.port = 0
        self.peak_bytes = 0
        self.log_path = source.with_suffix(".log")

    def ensure_running(self) -> int:
        """Start the process unless it runs.

        returns: the port it listens on
        raises: StartFailed
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            return self.port

    def within_memory(self) -> bool:
        """Measure the process and its children; past the limit end them, as Cloud Run does."""
        if self._process is None:
            return True
        used = resident_bytes(self._process.pid)
        self.peak_bytes = max(self.peak_bytes, used)
        if used <= self._limit:
            return True
        self.stop()
        return False

    def stop(self) -> None:
        """End the process, if there is one."""
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
        give_up_at = time.monotonic() + START_LIMIT_S
        while not listens(self.port):
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                self.stop()
                raise StartFailed(self.log_path.read_text(errors="replace")[-2000:])
            time.sleep(LOOK_EVERY_S)
        if not self.within_memory():
            raise StartFailed(f"Memory limit exceeded with {self.peak_bytes // 2**20} MiB used.")


def free_port() -> int:
    """Find a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether anybody listens on a port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def resident_bytes(pid: int) -> int:
    """Add up the memory of a process and its children; 0 where there is no /proc.

    What they share counts once, also where another container of this machine shares it: none in the cloud would.
    """
    private_kb, shared_kb = 0, [0]
    for each in [pid, *children(pid)]:
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue
        sizes = {line.split()[0]: int(line.split()[1]) for line in lines}
        private_kb += sizes["Private_Clean:"] + sizes["Private_Dirty:"]
        shared_kb.append(sizes["Shared_Clean:"] + sizes["Shared_Dirty:"])
    return (private_kb + max(shared_kb)) * 1024


def children(pid: int) -> list[int]:
    """List the processes that a process has started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children") if os.path.isdir(f"/proc/{pid}") else []:
        found += [int(child) for child in task.read_text().split()]
    return found
