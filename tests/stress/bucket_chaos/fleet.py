"""Three instances of the function, one of which is killed every few seconds and started again."""

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
    """Run processes of the function for as long as it lives.

    urls: of the processes, which keep theirs when they are started again
    kills: how many were killed; starts_ms: from the start of a process to its first answer
    """

    def __init__(self, count: int, kill_every_s: float, env: dict[str, str]) -> None:
        self._env = {**os.environ, "THREADS": "4", "INTERPRETERS": "1", **env}
        self._ports = [free_port() for _ in range(count)]
        self._kill_every_s = kill_every_s
        self._stop = threading.Event()
        self.urls = [f"http://127.0.0.1:{port}" for port in self._ports]
        self.kills = 0
        self.starts_ms: list[float] = []

    def __enter__(self) -> Fleet:
        self._processes = [self._start(port) for port in self._ports]
        for url in self.urls:
            self._until_it_answers(url, time.perf_counter())
        self._killer = threading.Thread(target=self._kill_in_turn, daemon=True)
        self._killer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._killer.join()
        for process in self._processes:
            end(process)

    def _kill_in_turn(self) -> None:
        while not self._stop.wait(self._kill_every_s):
            number = self.kills % len(self._ports)
            end(self._processes[number])
            self.kills += 1
            began = time.perf_counter()
            self._processes[number] = self._start(self._ports[number])
            self.starts_ms.append(self._until_it_answers(self.urls[number], began))

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        command = ["-m", "functions_framework", "--target", "run", "--host", "127.0.0.1", "--port", str(port)]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=self._env, stderr=quiet, start_new_session=True
        )

    def _until_it_answers(self, url: str, began: float) -> float:
        """Wait for the first answer; yield the milliseconds since it began."""
        while not self._stop.is_set():
            try:
                urllib.request.urlopen(url, timeout=10).close()
                break
            except OSError:
                time.sleep(0.02)
        return (time.perf_counter() - began) * 1000


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it has started, in the middle of whatever they do."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
