"""The body of a request: in memory alone, within its limits of bytes and seconds, and to its end."""

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


def photo(request: flask.Request, limit_bytes: int, time_limit_s: float) -> bytes:
    """Take the photo out of a request, in memory alone.

    returns: the body, or of multipart/form-data the field `file` or `image`
    raises: EmptyBody, PhotoTooLarge, UploadTooSlow, BadRequest
    """
    whole = body(request, limit_bytes, time_limit_s)
    if request.mimetype != "multipart/form-data":
        return whole
    parser = FormDataParser(stream_factory=lambda *_, **__: io.BytesIO())
    _, form, files = parser.parse(io.BytesIO(whole), request.mimetype, len(whole), request.mimetype_params)
    for name in PHOTO_FIELDS:
        if name in files:
            return bytes(files[name].read())
    found = ", ".join(repr((name or "")[:40]) for name in [*form, *files]) or "none"
    raise EmptyBody(f"the form needs a file in the field {' or '.join(PHOTO_FIELDS)}; its fields: {found}")


def body(request: flask.Request, limit_bytes: int, time_limit_s: float) -> bytes:
    """Read the body up to a limit; beyond it, read on and keep nothing, so that the answer can be sent.

    raises: PhotoTooLarge, UploadTooSlow, BadRequest
    """
    kept, count = [], 0
    for chunk in chunks(request, time_limit_s):
        count += len(chunk)
        if count <= limit_bytes:
            kept.append(chunk)
        else:
            kept.clear()
    if count > limit_bytes:
        raise PhotoTooLarge(f"the upload has {count} bytes; the limit is {limit_bytes}")
    return b"".join(kept)


def pass_over(request: flask.Request, time_limit_s: float) -> None:
    """Read the body to its end, and keep nothing: only then can an answer be sent.

    raises: UploadTooSlow, BadRequest
    """
    for _ in chunks(request, time_limit_s):
        pass


def chunks(request: flask.Request, time_limit_s: float) -> Iterator[bytes]:
    """Give the body as it comes, to its end; one that is not here in time is cut off.

    A read waits for as many bytes as it asks for, however slowly they trickle; so that it ends, the connection is
    closed under it.
    raises: UploadTooSlow; BadRequest where the body breaks off, or its chunks make no sense
    """
    connection: Any = request.environ.get("gunicorn.socket")
    late = threading.Event()

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):  # the caller was faster, and is gone
            connection.shutdown(socket.SHUT_RD)

    timer = threading.Timer(time_limit_s, cut)
    timer.daemon = True
    if connection:
        timer.start()
    count = 0
    try:
        while chunk := request.stream.read(CHUNK_BYTES):
            count += len(chunk)
            yield chunk
    except Exception as error:  # the server has errors of its own for this, and the fault is the caller's
        if not late.is_set():
            raise BadRequest("the body cannot be read to its end") from error
    finally:
        timer.cancel()
    if late.is_set():
        raise UploadTooSlow(f"the upload was not here after {time_limit_s:g} s")
    if count < (request.content_length or 0):
        raise BadRequest(f"the body ends after {count} bytes of {request.content_length}")
