"""The processes of one server: started, measured, paused, stopped."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from benchmarks.harness.http_exchange import Connection, Request, Response
from benchmarks.harness.options import CACHE
from benchmarks.harness.servers import ServerSpec

START_TIMEOUT_S = 120.0
POLL_S = 0.002
STOP_TIMEOUT_S = 10.0

T = TypeVar("T")


class ServerFailed(Exception):
    """A server did not start, or exited."""


class ServerProcess:
    """A running server with all its worker processes, which share one session of the operating system."""

    def __init__(self, spec: ServerSpec, python: Path, threads: int, workers: int, env: Mapping[str, str]) -> None:
        """Start the server.

        Args:
            spec: The server to start.
            python: Interpreter that has its packages.
            threads: Threads of functions-framework, which deploy.sh sets to the concurrency.
            workers: Worker processes of LitServe.
            env: Additional environment variables.
        """
        self.spec = spec
        self.port = _free_port()
        self.log = CACHE / "logs" / f"{spec.name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        arguments = [argument.format(port=self.port, workers=workers) for argument in spec.command]
        # The bytecode cache must work as it does in production.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        own = {"PORT": str(self.port), "THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "2", **spec.env}
        with self.log.open("wb") as log:
            self.start = time.perf_counter()
            self._process = subprocess.Popen(
                [str(python), *arguments],
                cwd=spec.folder,
                env={**inherited, **own, **env},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def first_response(self, request: Request) -> tuple[Response, float]:
        """Repeat a request until it succeeds.

        Returns:
            The first response with status 200, and the milliseconds from the start of the process to that response.

        Raises:
            ServerFailed: If the server exits, or does not respond within two minutes.
        """

        def post() -> tuple[Response, float] | None:
            with closing(Connection(self.port)) as connection:
                response = connection.send(request)
            return (response, (time.perf_counter() - self.start) * 1000) if response.status == 200 else None

        return self._poll(post)

    def wait_until_ready(self) -> None:
        """Repeat a GET, which processes no photo, until the server responds.

        Raises:
            ServerFailed: If the server exits, or does not respond within two minutes.
        """

        def get() -> bool:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT_S)) as connection:
                connection.request("GET", "/")
                connection.getresponse().read()
            return True

        self._poll(get)

    def _poll(self, attempt: Callable[[], T | None]) -> T:
        while time.perf_counter() - self.start < START_TIMEOUT_S:
            if self._process.poll() is not None:
                raise ServerFailed(f"{self.spec.name} exited during its start; see {self.log.name}")
            with suppress(OSError, http.client.HTTPException):
                result = attempt()
                if result is not None:
                    return result
            time.sleep(POLL_S)
        raise ServerFailed(f"{self.spec.name} did not respond within {START_TIMEOUT_S:.0f} s; see {self.log.name}")

    def processes(self) -> list[int]:
        """List the process ids of the server's session."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and _session(name) == self._process.pid]

    def pss_mb(self, pids: Sequence[int] | None = None) -> float:
        """Return the proportional set size (PSS) of the server, which counts each shared page once, in MB.

        Args:
            pids: The server's processes, if they are known already.
        """
        return sum(_kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in pids or self.processes()) / 1024

    def resident_mb(self, peak: bool) -> dict[int, float]:
        """Return the resident memory of each process in MB, current or peak."""
        field = "VmHWM:" if peak else "VmRSS:"
        return {pid: _kilobytes(f"/proc/{pid}/status", field) / 1024 for pid in self.processes()}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Suspend all processes of the server (SIGSTOP) within the context."""
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Terminate all processes of the server."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT_S)


@contextmanager
def running(
    spec: ServerSpec, python: Path, threads: int = 8, workers: int = 1, env: Mapping[str, str] | None = None
) -> Iterator[ServerProcess]:
    """Start a server, and stop it on exit; the arguments are those of `ServerProcess`."""
    server = ServerProcess(spec, python, threads, workers, env or {})
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _session(pid: str) -> int:
    """Return the session id of a process, or 0 if it has exited (man 5 proc)."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[3])
    except OSError:
        return 0


def _kilobytes(file: str, field: str) -> int:
    """Read a field of a file in /proc, or return 0 if the process has exited."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(field))
