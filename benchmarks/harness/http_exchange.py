"""HTTP requests to a server on this machine, with the time each response took."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass

TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Request:
    """A POST request, independent of the server's port."""

    path: str
    content_type: str
    body: bytes

    def to_bytes(self, port: int) -> bytes:
        """Return the request as HTTP/1.1 text for a port of this machine."""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


@dataclass(frozen=True)
class Response:
    """A response.

    Attributes:
        status: HTTP status.
        headers: Header values by lower-case name.
        body: Response body.
        ms: Milliseconds from the first byte sent to the last byte received.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    ms: float

    @property
    def stages_ms(self) -> dict[str, float]:
        """The durations in `Server-Timing`; the remainder of the total time is `http`."""
        entries = [entry.strip().partition(";dur=") for entry in self.headers.get("server-timing", "").split(",")]
        stages = {name: float(ms) for name, _, ms in entries if ms}
        return {**stages, "http": self.ms - sum(stages.values())}


class Connection:
    """A keep-alive connection."""

    def __init__(self, port: int) -> None:
        """Connect to a port of this machine.

        Raises:
            OSError: If nothing listens on the port.
        """
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        self._http.connect()

    def send(self, request: Request) -> Response:
        """Send a request and read the whole response.

        Raises:
            OSError: If the connection fails or times out.
            http.client.HTTPException: If the response is not valid HTTP.
        """
        start = time.perf_counter()
        self._http.request("POST", request.path, request.body, {"Content-Type": request.content_type})
        response = self._http.getresponse()
        body = response.read()
        ms = (time.perf_counter() - start) * 1000
        return Response(response.status, {name.lower(): value for name, value in response.getheaders()}, body, ms)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def send_repeatedly(port: int, request: Request, count: int) -> list[Response]:
    """Send a request over one connection, once to warm up and then `count` times.

    Returns:
        The responses after the first.
    """
    connection = Connection(port)
    try:
        return [connection.send(request) for _ in range(count + 1)][1:]
    finally:
        connection.close()
