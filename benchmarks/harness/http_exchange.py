"""One question to a server on this machine, and its reply."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass

TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Question:
    """A request, but for the server it goes to."""

    path: str
    content_type: str
    body: bytes

    def as_bytes(self, port: int) -> bytes:
        """Write it as HTTP/1.1."""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


@dataclass(frozen=True)
class Reply:
    """What came back, and the milliseconds from the first byte out to the last byte in."""

    status: int
    headers: dict[str, str]
    body: bytes
    ms: float

    @property
    def stages_ms(self) -> dict[str, float]:
        """Read Server-Timing; what it leaves unsaid of the whole is `http`."""
        parts = [part.strip().partition(";dur=") for part in self.headers.get("server-timing", "").split(",")]
        stages = {name: float(ms) for name, _, ms in parts if ms}
        return {**stages, "http": self.ms - sum(stages.values())}


class Connection:
    """A connection that is kept alive from one question to the next."""

    def __init__(self, port: int) -> None:
        """Connect.

        raises: OSError
        """
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        self._http.connect()

    def ask(self, question: Question) -> Reply:
        """Ask, and read the whole reply.

        raises: OSError, http.client.HTTPException
        """
        began = time.perf_counter()
        self._http.request("POST", question.path, question.body, {"Content-Type": question.content_type})
        response = self._http.getresponse()
        body = response.read()
        ms = (time.perf_counter() - began) * 1000
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, body, ms)

    def close(self) -> None:
        """Hang up."""
        self._http.close()


def ask_in_a_row(port: int, question: Question, count: int) -> list[Reply]:
    """Ask over one connection, once to warm up and then so many times.

    returns: the replies after the first
    """
    connection = Connection(port)
    try:
        return [connection.ask(question) for _ in range(count + 1)][1:]
    finally:
        connection.close()
