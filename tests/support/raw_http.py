"""HTTP requests as raw bytes over a socket, for requests that no HTTP client would send."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"
TIMEOUT_S = 30.0


@contextmanager
def connect(port: int) -> Iterator[socket.socket]:
    """Open a connection to a port of this machine, and close it at the end."""
    with socket.create_connection((HOST, port), timeout=TIMEOUT_S) as connection:
        yield connection


def request_head(*headers: str) -> bytes:
    """Return the request line and headers of a POST.

    Args:
        headers: More header lines, such as "Content-Length: 5".
    """
    return "\r\n".join(["POST / HTTP/1.1", f"Host: {HOST}", "Connection: close", *headers, "", ""]).encode()


def chunked_body(body: bytes, chunk_bytes: int) -> bytes:
    """Return a body in the chunked transfer coding, including its end."""
    chunks = [body[i : i + chunk_bytes] for i in range(0, len(body), chunk_bytes)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def send_in_pieces(connection: socket.socket, data: bytes, pieces: int, pause_s: float) -> None:
    """Send bytes in a number of pieces, with a pause after each."""
    size = -(-len(data) // pieces)
    for start in range(0, len(data), size):
        connection.sendall(data[start : start + size])
        time.sleep(pause_s)


def read_status(connection: socket.socket) -> int:
    """Return the status of the response; 0 if the connection was closed without one."""
    return read_response(connection)[0]


def read_response(connection: socket.socket) -> tuple[int, bytes]:
    """Return the status and body of the response; 0 and no bytes if the connection was closed without one."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        return response.status, response.read()
    except (http.client.HTTPException, ConnectionError):
        return 0, b""
    finally:
        response.close()
