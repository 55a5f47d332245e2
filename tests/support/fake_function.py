"""A fake of the function: an HTTP server that follows the HTTP API, records requests and fails on demand.

Its mask is white where the photo is bright, so that a test can tell the right mask from another photo's.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import json
import socket
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, ImageOps

MODEL = "bright/1; sha256=0123456789ab"
DESCRIPTION = {"name": "bright", "version": "1", "sha256": "0123456789ab" + 52 * "0"}
BRIGHT = 128


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as it arrived; the names of its headers are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Failure:
    """What to send instead of a mask.

    Attributes:
        status: HTTP status; 0 closes the connection without a response, -1 in the middle of one.
        code: `code` of the problem+json body.
        detail: `detail` of the problem+json body.
        headers: Additional headers.
        media_type: Media type of a response that is not problem+json.
        body: Body of a response that is not problem+json.
    """

    status: int
    code: str = "busy"
    detail: str = "too many photos at once"
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = ""
    body: bytes = b""


Fail = Callable[[int, ReceivedRequest], Failure | None]
CLOSED = Failure(0)
CLOSED_MID_RESPONSE = Failure(-1)


def busy(status: int = 503, **headers: str) -> Failure:
    """Return an error response with headers such as Retry_After="0"."""
    return Failure(status, headers={name.replace("_", "-"): value for name, value in headers.items()})


class FakeFunction:
    """The fake, on one port through restarts.

    Attributes:
        fail: Called with the number of each request, from 1, and the request; returns a Failure, or None for success.
        delay_s: Time to wait before each response, in seconds.
        classes: Number of classes in a mask.
        bright: Grey value from which a pixel of a mask of two classes is white.
        description: The answer to GET /.
        requests: All requests.
        masks_sent: Number of masks sent by SHA-256 of the photo.
        starts: Number of starts.
        port: The port.
    """

    def __init__(self, fail: Fail | None = None, delay_s: float = 0.0) -> None:
        self.fail = fail or (lambda number, request: None)
        self.delay_s = delay_s
        self.classes = 2
        self.bright = BRIGHT
        self.description: dict[str, Any] = DESCRIPTION
        self.requests: list[ReceivedRequest] = []
        self.masks_sent: Counter[str] = Counter()
        self.starts = 1
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = self._server.start()
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def uploads(self) -> list[ReceivedRequest]:
        """The requests with photos, without those for the description of the model."""
        return [request for request in self.requests if request.method == "POST"]

    def restart(self) -> None:
        """Close all connections, and start again on the same port as a cold instance."""
        self.stop()
        self.starts += 1
        self._server = self._listen()
        self._thread = self._server.start()

    def stop(self) -> None:
        """Close all connections and stop."""
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def record(self, request: ReceivedRequest) -> Failure | None:
        """Record a request and return how it fails, if it does."""
        with self._lock:
            self.requests.append(request)
            return self.fail(len(self.requests), request)

    def count_mask(self, photo: bytes, server: _Server) -> bool:
        """Count a mask and return whether it is the first of its instance."""
        with self._lock:
            self.masks_sent[sha256(photo)] += 1
            was_cold, server.is_cold = server.is_cold, False
            return was_cold

    def _listen(self) -> _Server:
        """Bind the port again; a client's retry may occupy it for a moment."""
        for _ in range(100):
            with contextlib.suppress(OSError):
                return _Server(("127.0.0.1", self.port), self)
            time.sleep(0.02)
        return _Server(("127.0.0.1", self.port), self)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], fake: FakeFunction) -> None:
        super().__init__(address, _Handler)
        self.fake = fake
        self.is_cold = True
        self.connections: set[socket.socket] = set()

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        return thread

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # some tests have clients that disconnect


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_body(b"")

    def do_POST(self) -> None:
        self.handle_body(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def handle_body(self, body: bytes) -> None:
        url = urllib.parse.urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = ReceivedRequest(self.command, url.path, dict(urllib.parse.parse_qsl(url.query)), headers, body)
        failure = self.server.fake.record(request)
        time.sleep(self.server.fake.delay_s)
        if failure is None:
            self.succeed(request)
        elif failure.media_type:
            self.send(failure.status, failure.media_type, failure.body, failure.headers)
        elif failure.status > 0:
            self.send_problem(failure)
        else:
            self.close(failure)

    def succeed(self, request: ReceivedRequest) -> None:
        if request.method == "GET":
            self.send(200, "application/json", json.dumps(self.server.fake.description).encode(), {})
            return
        output = request.query.get("output", "mask")
        file_format = request.query.get("format", "png")
        try:
            body = render(request.body, output, self.server.fake.classes, file_format, self.server.fake.bright)
        except OSError:
            self.send_problem(Failure(415, "not-a-photo", "the body is not a supported image"))
            return
        cold = {"X-Cold-Start": "1"} if self.server.fake.count_mask(request.body, self.server) else {}
        timing = {"Server-Timing": "decode;dur=1.50, infer;dur=12.00"}
        self.send(200, "application/json" if output == "json" else f"image/{file_format}", body, timing | cold)

    def send_problem(self, failure: Failure) -> None:
        problem = {"type": f"urn:silhouette:{failure.code}", "title": "No", "status": failure.status}
        body = json.dumps(problem | {"detail": failure.detail, "code": failure.code}).encode()
        self.send(failure.status, "application/problem+json", body, failure.headers)

    def send(self, status: int, media_type: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": media_type, "X-Model": MODEL, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def close(self, failure: Failure) -> None:
        if failure is CLOSED_MID_RESPONSE:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n\x89PNG")
            self.wfile.flush()
        self.close_connection = True


def sha256(photo: bytes) -> str:
    return hashlib.sha256(photo).hexdigest()


def render(
    photo: bytes, output: str = "mask", classes: int = 2, file_format: str = "png", bright: int = BRIGHT
) -> bytes:
    """Return the output of the fake for a photo; its scores are the photo's brightness.

    Raises:
        OSError: If the photo cannot be decoded.
    """
    with Image.open(io.BytesIO(photo)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    grey = np.asarray(upright.convert("L"))
    if output == "json":
        share = float((grey >= BRIGHT).mean())
        return json.dumps({"size": list(grey.shape), "classes": [{"name": "bright", "share": share}]}).encode()
    image = Image.fromarray(grey)
    if output == "mask" and classes == 2:
        image = image.point([0] * bright + [255] * (256 - bright), "1")
    elif output == "mask":
        image = Image.fromarray(grey // (256 // classes)).convert("L")
        image.putpalette([value for n in range(classes) for value in (n * 20, 255 - n * 20, 99)])
    elif output == "overlay":
        image = Image.blend(upright, image.convert("RGB"), 0.5)
    elif output == "cutout":
        upright.putalpha(image.point([0] * BRIGHT + [255] * (256 - BRIGHT)))
        image = upright
    out = io.BytesIO()
    (image.convert("RGB") if file_format == "jpeg" else image).save(out, file_format)
    return out.getvalue()


@contextlib.contextmanager
def running_fake(fail: Fail | None = None, delay_s: float = 0.0) -> Iterator[FakeFunction]:
    """Run a fake for the duration of a test."""
    fake = FakeFunction(fail, delay_s)
    try:
        yield fake
    finally:
        fake.stop()
