"""Reading a request's body: completely, in memory, and within limits of bytes and seconds.

The body is read to its end even if it is refused: a server that responds and closes the connection while the client
still sends causes a reset, and the client never sees the response.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from collections.abc import Iterator
from typing import Any

import flask
from werkzeug.exceptions import BadRequest
from werkzeug.formparser import FormDataParser

from model.errors import EmptyBody, PhotoTooLarge, UploadTooSlow

PHOTO_FIELDS = ("file", "image")
CHUNK_BYTES = 1 << 20


def read_photo(request: flask.Request, limit_bytes: int, timeout_s: float) -> bytes:
    """Return the photo of a request: the body, or the field `file` or `image` of multipart/form-data.

    Args:
        request: The request.
        limit_bytes: Largest body.
        timeout_s: Longest time for the body to arrive.

    Raises:
        EmptyBody: If a form has no such field.
        PhotoTooLarge: If the body has more bytes than the limit.
        UploadTooSlow: If the body takes longer than the timeout.
        BadRequest: If the body is incomplete or malformed.
    """
    body = read_body(request, limit_bytes, timeout_s)
    if request.mimetype != "multipart/form-data":
        return body
    # By default, werkzeug writes large fields to temporary files.
    parser = FormDataParser(stream_factory=lambda *_, **__: io.BytesIO())
    _, form, files = parser.parse(io.BytesIO(body), request.mimetype, len(body), request.mimetype_params)
    for name in PHOTO_FIELDS:
        if name in files:
            return bytes(files[name].read())
    fields = ", ".join(repr((name or "")[:40]) for name in [*form, *files]) or "none"
    raise EmptyBody(f"the form has no file in the field {' or '.join(PHOTO_FIELDS)}; its fields: {fields}")


def read_body(request: flask.Request, limit_bytes: int, timeout_s: float) -> bytes:
    """Return the body of a request; one above the limit is read to its end and discarded.

    Args:
        request: The request.
        limit_bytes: Largest body.
        timeout_s: Longest time for the body to arrive.

    Raises:
        PhotoTooLarge: If the body has more bytes than the limit.
        UploadTooSlow: If the body takes longer than the timeout.
        BadRequest: If the body is incomplete or malformed.
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
    return b"".join(chunks)


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
