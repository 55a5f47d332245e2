"""Reading a request's body: completely, in memory, and within limits of bytes and seconds.

The body is read to its end even if it is refused: a server that responds and closes the connection while the client
still sends causes a reset, and the client never sees the response.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator

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

    A read blocks until it has all the bytes it asked for, however slowly they arrive. After the timeout, the receiving
    side of the socket is shut down, which ends the read.
    """
    connection: socket.socket | None = request.environ.get("gunicorn.socket")  # None under Flask's test client
    upload = _Upload(connection, time.monotonic() + timeout_s)
    if connection:
        _watchdog.watch(upload)
    size = 0
    try:
        while chunk := request.stream.read(CHUNK_BYTES):
            size += len(chunk)
            yield chunk
    except Exception as error:  # gunicorn raises errors of its own, all caused by the client
        if not upload.timed_out:
            raise BadRequest("the body is incomplete or malformed") from error
    finally:
        upload.finish()
    if upload.timed_out:
        raise UploadTooSlow(f"the upload took longer than {timeout_s:g} s")
    if size < (request.content_length or 0):
        raise BadRequest(f"the body has {size} bytes, but Content-Length is {request.content_length}")


class _Upload:
    """A body that is being received.

    Attributes:
        deadline: Time of `time.monotonic` until which it must have arrived.
        has_ended: Whether it has arrived, cannot be read, or was stopped.
        timed_out: Whether it was stopped.
    """

    def __init__(self, connection: socket.socket | None, deadline: float) -> None:
        self.deadline = deadline
        self.has_ended = self.timed_out = False
        self._connection = connection
        self._lock = threading.Lock()

    def finish(self) -> None:
        """Release the connection, which may be used for the next request from now on."""
        with self._lock:
            self.has_ended, self._connection = True, None

    def stop(self) -> None:
        """End the reads of a body that has not ended yet."""
        with self._lock:
            if self.has_ended or self._connection is None:
                return
            self.has_ended = self.timed_out = True
            with contextlib.suppress(OSError):  # the client has closed the connection
                self._connection.shutdown(socket.SHUT_RD)


class _Watchdog:
    """Stops the uploads that do not end in time. One thread watches all: a timer for each took 42 us.

    All uploads have the same timeout, so that they reach their deadlines in the order in which they began.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the two attributes below
        self._uploads: deque[_Upload] = deque()  # also those that have ended before their deadline
        self._is_running = False

    def watch(self, upload: _Upload) -> None:
        with self._lock:
            self._uploads.append(upload)
            must_start = not self._is_running
            self._is_running = True
        if must_start:
            threading.Thread(target=self._run, name="upload watchdog", daemon=True).start()

    def _run(self) -> None:
        """Stop each upload at its deadline; end when none is left. Uploads that end in time do not wake the thread."""
        while True:
            with self._lock:
                while self._uploads and self._uploads[0].has_ended:
                    self._uploads.popleft()
                if not self._uploads:
                    self._is_running = False
                    return
                upload = self._uploads[0]
            time.sleep(max(0.0, upload.deadline - time.monotonic()))
            upload.stop()


_watchdog = _Watchdog()
