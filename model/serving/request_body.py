"""Reading a request's body: completely, in memory, and within limits of bytes and seconds.

The body is read to its end even if it is refused: a server that responds and closes the connection while the client
still sends causes a reset, and the client never sees the response.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import flask
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from model.errors import PhotoTooLarge, UploadTooSlow

CHUNK_BYTES = 1 << 20
GZIP_WBITS = 31  # of zlib: the format is gzip
MAX_GZIP_MEMBERS = 16  # each costs a copy of what follows it
ENCODINGS = ("gzip", "x-gzip")  # of Content-Encoding; RFC 9110, section 8.4.1


def read_body(request: flask.Request, limit_bytes: int, timeout_s: float) -> bytes:
    """Return the body of a request, decompressed; one above the limit is read to its end and discarded.

    Args:
        request: The request.
        limit_bytes: Largest body, both as sent and decompressed.
        timeout_s: Longest time for the body to arrive.

    Raises:
        PhotoTooLarge: If the body has more bytes than the limit.
        UploadTooSlow: If the body takes longer than the timeout.
        BadRequest: If the body is incomplete or malformed.
        UnsupportedMediaType: If its Content-Encoding is not gzip.
    """
    chunks, size = [], 0
    for chunk in _read_chunks(request, timeout_s):
        size += len(chunk)
        if size <= limit_bytes:
            chunks.append(chunk)
        else:
            chunks.clear()
    if size > limit_bytes:
        raise PhotoTooLarge(f"the upload has {size} bytes; the limit is {limit_bytes}")
    body = b"".join(chunks)
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ENCODINGS:
        return _gunzip(body, limit_bytes)
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding {encoding[:40]!r} is not supported; send gzip, or no encoding")
    return body


def drain_body(request: flask.Request, timeout_s: float) -> None:
    """Read the body of a request to its end and discard it.

    Args:
        request: The request.
        timeout_s: Longest time for the body to arrive.

    Raises:
        UploadTooSlow: If the body takes longer than the timeout.
        BadRequest: If the body is incomplete or malformed.
    """
    for _ in _read_chunks(request, timeout_s):
        pass


def _gunzip(body: bytes, limit_bytes: int) -> bytes:
    """Decompress gzip, of one member or several, to at most as many bytes as the limit."""
    parts: list[bytes] = []
    size = 0
    while body:
        if len(parts) == MAX_GZIP_MEMBERS:
            raise BadRequest(f"the body's gzip data has more than {MAX_GZIP_MEMBERS} members")
        decompressor = zlib.decompressobj(GZIP_WBITS)
        try:
            part = decompressor.decompress(body, limit_bytes + 1 - size)
        except zlib.error as error:
            raise BadRequest("the body is not valid gzip, although its Content-Encoding is gzip") from error
        size += len(part)
        if size > limit_bytes:
            raise PhotoTooLarge(f"the upload has more than {limit_bytes} bytes decompressed, which is the limit")
        if not decompressor.eof:
            raise BadRequest("the body's gzip data is truncated")
        parts.append(part)
        body = decompressor.unused_data
    return b"".join(parts)


def _read_chunks(request: flask.Request, timeout_s: float) -> Iterator[bytes]:
    """Yield the body in chunks, to its end.

    A read blocks until it has all the bytes it asked for, however slowly they arrive. After the timeout, a timer shuts
    down the receiving side of the socket, which ends the read.
    """
    connection: Any = request.environ.get("gunicorn.socket")  # None under Flask's test client
    timed_out = threading.Event()

    def stop_receiving() -> None:
        timed_out.set()
        with contextlib.suppress(OSError):  # the client has closed the connection
            connection.shutdown(socket.SHUT_RD)

    timer = threading.Timer(timeout_s, stop_receiving)
    timer.daemon = True
    if connection:
        timer.start()
    size = 0
    try:
        while chunk := request.stream.read(CHUNK_BYTES):
            size += len(chunk)
            yield chunk
    except Exception as error:  # gunicorn raises errors of its own, all caused by the client
        if not timed_out.is_set():
            raise BadRequest("the body is incomplete or malformed") from error
    finally:
        timer.cancel()
    if timed_out.is_set():
        raise UploadTooSlow(f"the upload took longer than {timeout_s:g} s")
    if size < (request.content_length or 0):
        raise BadRequest(f"the body has {size} bytes, but Content-Length is {request.content_length}")
