"""Faults of Cloud Storage: each is a function that sends a faulty response in place of the right one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple

ERROR_BODY = b'{"error": {"code": 0, "message": "no"}}'
NOT_FORWARDED = ("content-length", "transfer-encoding", "connection", "date", "server")


class Reply(NamedTuple):
    """A response of the emulator."""

    status: int
    body: bytes = ERROR_BODY
    headers: Iterable[tuple[str, str]] = ()


Fault = Callable[[BaseHTTPRequestHandler, Reply], None]


def send(handler: BaseHTTPRequestHandler, reply: Reply, content_length: int | None = None) -> None:
    """Send a response, and close the connection.

    Args:
        handler: The handler of the request.
        reply: The response.
        content_length: The Content-Length to declare; by default the length of the body.
    """
    handler.send_response(reply.status)
    for name, value in reply.headers:
        if name.lower() not in NOT_FORWARDED:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(reply.body) if content_length is None else content_length))
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(reply.body)


def fail_with(status: int) -> Fault:
    """Return the fault of an error status."""
    return lambda handler, _: send(handler, Reply(status))


def truncate(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """Send the first half of the body, and close the connection."""
    send(handler, Reply(reply.status, reply.body[: len(reply.body) // 2]), len(reply.body))


def truncate_and_corrupt(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """Send the first half of the body with a wrong first byte, and close the connection."""
    send(handler, Reply(reply.status, b"\0" + reply.body[1 : len(reply.body) // 2]), len(reply.body))


def corrupt(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """Send the body with one bit flipped, and the headers, including X-Goog-Hash, unchanged."""
    send(handler, reply._replace(body=reply.body[:-1] + bytes([reply.body[-1] ^ 1])))


def send_slowly(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """Send ten bytes a second, so that no read times out."""
    send(handler, Reply(reply.status, b""), len(reply.body))
    for i in range(200):
        handler.wfile.write(reply.body[i : i + 1])
        handler.wfile.flush()
        time.sleep(0.1)
