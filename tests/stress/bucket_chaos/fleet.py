"""Several processes of the function, one of which is killed every few seconds and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from types import TracebackType

from tests.support.function_process import free_port
from tests.support.paths import ROOT


class Fleet:
    """A context manager that runs the processes, and kills them in turn.

    Attributes:
        urls: URLs of the processes; a restarted process keeps its URL.
        kills: Number of kills.
        starts_ms: For each restart, the time until the first response in milliseconds.
    """

    def __init__(self, count: int, kill_every_s: float, env: dict[str, str]) -> None:
        """Choose the ports.

        Args:
            count: Number of processes.
            kill_every_s: Time between kills in seconds.
            env: Environment variables of the processes.
        """
        self._env = {**os.environ, "THREADS": "4", "INTERPRETERS": "1", **env}
        self._ports = [free_port() for _ in range(count)]
        self._kill_every_s = kill_every_s
        self._stop = threading.Event()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._killer = threading.Thread(target=self._kill_in_turn, daemon=True)
        self.urls = [f"http://127.0.0.1:{port}" for port in self._ports]
        self.kills = 0
        self.starts_ms: list[float] = []

    def __enter__(self) -> Fleet:
        """Start the processes, wait until they answer, and start killing."""
        self._processes += [self._start(port) for port in self._ports]
        for url in self.urls:
            self._wait_until_it_answers(url)
        self._killer.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Kill all processes."""
        self._stop.set()
        self._killer.join()
        for process in self._processes:
            kill(process)

    def _kill_in_turn(self) -> None:
        while not self._stop.wait(self._kill_every_s):
            number = self.kills % len(self._ports)
            kill(self._processes[number])
            self.kills += 1
            start = time.perf_counter()
            self._processes[number] = self._start(self._ports[number])
            self._wait_until_it_answers(self.urls[number])
            self.starts_ms.append((time.perf_counter() - start) * 1000)

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "functions_framework", "--target", "run", "--host", "127.0.0.1"]
        return subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=ROOT,
            env=self._env,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait_until_it_answers(self, url: str) -> None:
        while not self._stop.is_set():
            try:
                urllib.request.urlopen(url, timeout=10).close()
                return
            except OSError:
                time.sleep(0.02)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its children immediately."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
