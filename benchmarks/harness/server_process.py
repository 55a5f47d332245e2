"""A contestant's server: started, watched, stopped."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.harness.http_exchange import Connection, Question, Reply
from benchmarks.harness.options import CACHE, MODEL
from benchmarks.harness.servers import Contestant

START_LIMIT_S = 120.0
POLL_S = 0.002
STOP_LIMIT_S = 10.0


class ServerFailed(Exception):
    """A server that did not start, or died."""


class Server:
    """A server and all its processes: they are those of one session of the system."""

    def __init__(
        self, contestant: Contestant, python: Path, threads: int, workers: int, env: Mapping[str, str]
    ) -> None:
        """Start it.

        threads: what a functions-framework takes at once, as deploy.sh sets it
        workers: what LitServe calls so
        """
        self.contestant = contestant
        self.port = _free_port()
        self.log = CACHE / "logs" / f"{contestant.name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        words = [word.format(port=self.port, workers=workers) for word in contestant.command]
        everywhere = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        own = {"MODEL": str(MODEL), "PORT": str(self.port), "THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "2"}
        with self.log.open("wb") as log:
            self.began = time.perf_counter()
            self._process = subprocess.Popen(
                [str(python), *words],
                cwd=contestant.folder,
                env={**everywhere, **own, **env},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def first_reply(self, question: Question) -> tuple[Reply, float]:
        """Ask until it answers.

        returns: its first good reply, and the milliseconds since its start
        raises: ServerFailed
        """
        while time.perf_counter() - self.began < START_LIMIT_S:
            if self._process.poll() is not None:
                raise ServerFailed(f"{self.contestant.name} stopped at its start; see {self.log.name}")
            try:
                connection = Connection(self.port)
                reply = connection.ask(question)
                ms = (time.perf_counter() - self.began) * 1000
                connection.close()
            except (OSError, http.client.HTTPException):
                time.sleep(POLL_S)
                continue
            if reply.status == 200:
                return reply, ms
            time.sleep(POLL_S)
        raise ServerFailed(f"{self.contestant.name} gave no good answer in {START_LIMIT_S:.0f} s; see {self.log.name}")

    def wait_until_it_describes_itself(self) -> None:
        """Ask with GET, which costs no photo, until it answers.

        raises: ServerFailed
        """
        while time.perf_counter() - self.began < START_LIMIT_S:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_LIMIT_S)
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
                return
            except (OSError, http.client.HTTPException):
                if self._process.poll() is not None:
                    break
                time.sleep(POLL_S)
            finally:
                connection.close()
        raise ServerFailed(f"{self.contestant.name} did not start; see {self.log.name}")

    def processes(self) -> list[int]:
        """List the processes of its session."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and _session(name) == self._process.pid]

    def pss_mb(self, pids: Sequence[int] | None = None) -> float:
        """Add up what its processes hold, each shared page counted once; who knows them already names them."""
        return sum(_kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in pids or self.processes()) / 1024

    def resident_mb(self, peak: bool) -> dict[int, float]:
        """Give each process's resident memory, now or at its peak."""
        name = "VmHWM:" if peak else "VmRSS:"
        return {pid: _kilobytes(f"/proc/{pid}/status", name) / 1024 for pid in self.processes()}

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Take the CPU from all its processes for a while."""
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End all its processes."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_LIMIT_S)
        for pid in self.processes():
            _kill(pid)
        self._process.wait(STOP_LIMIT_S)


@contextmanager
def serving(
    contestant: Contestant, python: Path, threads: int = 8, workers: int = 1, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Start a server, and stop it whatever happens."""
    server = Server(contestant, python, threads, workers, env or {})
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _session(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[3])
    except OSError:
        return 0  # it has ended meanwhile


def _kilobytes(file: str, name: str) -> int:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(name))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
