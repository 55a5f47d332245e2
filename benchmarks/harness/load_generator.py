"""A process that keeps requests in flight: it reads a job as JSON on standard input and prints its result as JSON.

It uses plain sockets and compares responses as bytes, so that it costs far less CPU than the server it measures.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

RESPONSE_TIMEOUT_S = 120.0
CHUNK_BYTES = 1 << 18
PAUSE_AFTER_ERROR_S, PAUSE_AFTER_503_S = 0.01, 1.0


@dataclass(frozen=True)
class Job:
    """What to send.

    Attributes:
        port: Port of the server.
        request_file: File with the whole HTTP request.
        expected_file: File with the expected response body; any body is accepted if None.
        in_flight: Requests in flight at once.
        seconds: Send no request after this time.
        requests: Send at most this many requests.
    """

    port: int
    request_file: str
    expected_file: str | None
    in_flight: int
    seconds: float
    requests: int


@dataclass
class JobResult:
    """What happened.

    Attributes:
        start_s: When the job started, by `time.monotonic`.
        end_s: When the last response was received.
        cpu_s: CPU time of the load generator.
        correct: Responses 200 with the expected body.
        incorrect: Responses 200 with another body.
        rejected: Responses 503 with `Retry-After`.
        errors: Other statuses and connection errors, by name.
        response_times_s: When each response was received.
        latencies_ms: Latency of each correct response.
    """

    start_s: float = 0.0
    end_s: float = 0.0
    cpu_s: float = 0.0
    correct: int = 0
    incorrect: int = 0
    rejected: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    response_times_s: list[float] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)


class LoadGenerator:
    """Runs one job."""

    def __init__(self, job: Job) -> None:
        """Read the request and the expected response body."""
        self.job = job
        self.request = Path(job.request_file).read_bytes()
        self.expected = Path(job.expected_file).read_bytes() if job.expected_file else None
        self.remaining = job.requests
        self.result = JobResult()

    async def run(self) -> JobResult:
        """Send requests until the time or the number of requests is used up."""
        self.result.start_s = time.monotonic()
        await asyncio.gather(*(self.keep_one_in_flight() for _ in range(self.job.in_flight)))
        self.result.end_s = time.monotonic()
        times = os.times()
        self.result.cpu_s = times.user + times.system
        return self.result

    async def keep_one_in_flight(self) -> None:
        """Send one request after the other, on one connection as long as the server keeps it open."""
        connection: socket.socket | None = None
        while self.remaining > 0 and time.monotonic() - self.result.start_s < self.job.seconds:
            self.remaining -= 1
            start = time.monotonic()
            try:
                async with asyncio.timeout(RESPONSE_TIMEOUT_S):
                    connection = connection or await connect(self.job.port)
                    head, body = await exchange(connection, self.request)
            except (OSError, TimeoutError, ValueError) as error:
                self.result.errors[type(error).__name__] += 1
                close(connection)
                connection = None
                await asyncio.sleep(PAUSE_AFTER_ERROR_S)
                continue
            self.count(head, body, start)
            if b"connection: close" in head:
                close(connection)
                connection = None
            if head[9:12] == b"503":
                await asyncio.sleep(PAUSE_AFTER_503_S)
        close(connection)

    def count(self, head: bytes, body: bytes, start: float) -> None:
        """Record a response to a request that was sent at `start`."""
        status = int(head[9:12])
        now = time.monotonic()
        self.result.response_times_s.append(round(now, 4))
        if status == 200 and (self.expected is None or body == self.expected):
            self.result.correct += 1
            self.result.latencies_ms.append(round((now - start) * 1000, 3))
        elif status == 200:
            self.result.incorrect += 1
        elif status == 503 and b"\r\nretry-after:" in head:
            self.result.rejected += 1
        else:
            self.result.errors[f"status {status}"] += 1


async def connect(port: int) -> socket.socket:
    """Connect to a port of this machine without blocking the event loop."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    return connection


def close(connection: socket.socket | None) -> None:
    """Close a connection, if there is one."""
    if connection:
        connection.close()


async def exchange(connection: socket.socket, request: bytes) -> tuple[bytes, bytes]:
    """Send a request and read the response.

    Returns:
        The head in lower case, and the body.

    Raises:
        OSError: If the connection fails.
        ValueError: If the response has no `Content-Length`.
    """
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, request)
    response = bytearray()
    while (end := response.find(b"\r\n\r\n")) < 0:
        response += await receive(loop, connection)
    head = bytes(response[: end + 2]).lower()
    length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
    while len(response) < end + 4 + length:
        response += await receive(loop, connection)
    return head, bytes(response[end + 4 :])


async def receive(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bytes:
    """Read the next bytes.

    Raises:
        ConnectionError: If the server has closed the connection.
    """
    data = await loop.sock_recv(connection, CHUNK_BYTES)
    if not data:
        raise ConnectionError
    return data


def main() -> None:
    """Run the job on standard input."""
    result = asyncio.run(LoadGenerator(Job(**json.load(sys.stdin))).run())
    json.dump(asdict(result), sys.stdout)


if __name__ == "__main__":
    main()
