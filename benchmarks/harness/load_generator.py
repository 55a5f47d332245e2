"""A process of its own that keeps so many requests in flight: one job in JSON on standard input, its outcome on output.

Plain sockets, and answers compared as bytes: it must cost far less than what it measures.
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

ANSWER_LIMIT_S = 120.0
CHUNK_BYTES = 1 << 18
PAUSE_S, RETRY_AFTER_S = 0.01, 1.0  # after an error; after a 503, as a client would


@dataclass(frozen=True)
class Job:
    """What to send, so long or so often: files that hold the whole request and the right answer, if any."""

    port: int
    request: str
    right: str | None
    in_flight: int
    seconds: float
    requests: int


@dataclass
class Outcome:
    """What came of it; times are those of time.monotonic, latencies those of right answers."""

    began_s: float = 0.0
    ended_s: float = 0.0
    cpu_s: float = 0.0
    right: int = 0
    wrong: int = 0
    busy: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    done_s: list[float] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)


class Generator:
    """Keeps requests in flight until the time or the number is used up."""

    def __init__(self, job: Job) -> None:
        """Read the request and the right answer."""
        self.job = job
        self.request = Path(job.request).read_bytes()
        self.right = Path(job.right).read_bytes() if job.right else None
        self.left = job.requests
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        """Do the job."""
        self.outcome.began_s = time.monotonic()
        await asyncio.gather(*(self.keep_one_in_flight() for _ in range(self.job.in_flight)))
        self.outcome.ended_s = time.monotonic()
        spent = os.times()
        self.outcome.cpu_s = spent.user + spent.system
        return self.outcome

    async def keep_one_in_flight(self) -> None:
        """Send one request after the other, on one connection as long as the server keeps it."""
        connection: socket.socket | None = None
        while self.left > 0 and time.monotonic() - self.outcome.began_s < self.job.seconds:
            self.left -= 1
            began = time.monotonic()
            try:
                async with asyncio.timeout(ANSWER_LIMIT_S):
                    connection = connection or await connect(self.job.port)
                    head, body = await exchange(connection, self.request)
            except (OSError, TimeoutError, ValueError) as error:
                self.outcome.errors[type(error).__name__] += 1
                hang_up(connection)
                connection = None
                await asyncio.sleep(PAUSE_S)
                continue
            self.count(head, body, began)
            if b"connection: close" in head:
                hang_up(connection)
                connection = None
            if head[9:12] == b"503":
                await asyncio.sleep(RETRY_AFTER_S)
        hang_up(connection)

    def count(self, head: bytes, body: bytes, began: float) -> None:
        """Put an answer where it belongs."""
        status = int(head[9:12])
        now = time.monotonic()
        self.outcome.done_s.append(round(now, 4))
        if status == 200 and (self.right is None or body == self.right):
            self.outcome.right += 1
            self.outcome.latencies_ms.append(round((now - began) * 1000, 3))
        elif status == 200:
            self.outcome.wrong += 1
        elif status == 503 and b"\r\nretry-after:" in head:
            self.outcome.busy += 1
        else:
            self.outcome.errors[f"status {status}"] += 1


async def connect(port: int) -> socket.socket:
    """Connect without waiting for anybody else."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    return connection


def hang_up(connection: socket.socket | None) -> None:
    """Close a connection, if there is one."""
    if connection:
        connection.close()


async def exchange(connection: socket.socket, request: bytes) -> tuple[bytes, bytes]:
    """Send a request, and read its answer.

    returns: the head in small letters, and the body
    raises: OSError; ValueError for an answer without a length
    """
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, request)
    answer = bytearray()
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += await received(loop, connection)
    head = bytes(answer[: end + 2]).lower()
    length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
    while len(answer) < end + 4 + length:
        answer += await received(loop, connection)
    return head, bytes(answer[end + 4 :])


async def received(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bytes:
    """Read what there is.

    raises: ConnectionError where the server has hung up
    """
    data = await loop.sock_recv(connection, CHUNK_BYTES)
    if not data:
        raise ConnectionError
    return data


def main() -> None:
    """Do the job on standard input."""
    outcome = asyncio.run(Generator(Job(**json.load(sys.stdin))).run())
    json.dump(asdict(outcome), sys.stdout)


if __name__ == "__main__":
    main()
