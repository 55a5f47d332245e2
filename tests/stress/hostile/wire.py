"""Requests that no HTTP client would write, sent as bytes."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"
LIMIT_S = 30.0


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """Open a connection, and close it."""
    with socket.create_connection((HOST, port), timeout=LIMIT_S) as connection:
        yield connection


def head(*lines: str) -> bytes:
    """Write the head of a POST with more lines."""
    return "\r\n".join(["POST / HTTP/1.1", f"Host: {HOST}", "Connection: close", *lines, "", ""]).encode()


def chunked(body: bytes, size: int) -> bytes:
    """Write a body in chunks, its end included."""
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def trickle(connection: socket.socket, data: bytes, pieces: int, pause_s: float) -> None:
    """Send bytes in pieces with a pause after each."""
    size = -(-len(data) // pieces)
    for start in range(0, len(data), size):
        connection.sendall(data[start : start + size])
        time.sleep(pause_s)


def status(connection: socket.socket) -> int:
    """Read an answer's status; 0 where the connection was closed without one."""
    return answer(connection)[0]


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Read an answer's status and body; 0 and nothing where the connection was closed without one."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        return response.status, response.read()
    except (http.client.HTTPException, ConnectionError):
        return 0, b""
    finally:
        response.close()
