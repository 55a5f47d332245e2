"""A stand-in for the function: a real HTTP server that speaks the contract, counts, and fails on demand.

Its mask is white where the photo is bright, so that a test can tell a right mask from another photo's.
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

import httpx
import numpy as np
from PIL import Image, ImageOps

MODEL = "bright/1; sha256=0123456789ab"
BRIGHT = 128


@dataclass(frozen=True)
class Seen:
    """Hold one request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Failure:
    """Hold what to answer in place of a mask; status 0 cuts the connection before a word, -1 in mid-answer.

    media_type, body: an answer as it is, in place of problem+json
    """

    status: int
    code: str = "busy"
    detail: str = "too many photos at once"
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = ""
    body: bytes = b""


CUT = Failure(0)
CUT_IN_MID_ANSWER = Failure(-1)


def busy(status: int = 503, **headers: str) -> Failure:
    return Failure(status, headers={name.replace("_", "-"): value for name, value in headers.items()})


class StandIn:
    """Serve on one port for as long as it lives, through restarts.

    fail: is asked about each request and its number, from 1, and returns None or a Failure
    seen: all requests; answered: how often each photo got its mask, by the photo's hash
    """

    def __init__(self, fail: Callable[[int, Seen], Failure | None] | None = None, pause_s: float = 0.0) -> None:
        self.fail = fail or (lambda number, seen: None)
        self.pause_s = pause_s
        self.classes = 2
        self.seen: list[Seen] = []
        self.answered: Counter[str] = Counter()
        self.starts = 0
        self.port = 0
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def restart(self) -> None:
        """Go away with all connections, and come back on the same port as a cold instance."""
        self.stop()
        self._start()

    def stop(self) -> None:
        """Go away."""
        self._server.shutdown()
        self._server.server_close()
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def take(self, seen: Seen) -> Failure | None:
        """Count a request, and say whether it fails."""
        with self._lock:
            self.seen.append(seen)
            return self.fail(len(self.seen), seen)

    def count_answer(self, body: bytes, instance: Server) -> bool:
        """Count a mask; tell whether it is the first of its instance."""
        with self._lock:
            self.answered[digest(body)] += 1
            was_cold, instance.is_cold = instance.is_cold, False
            return was_cold

    def _start(self) -> None:
        self.starts += 1
        self._server = self._listen()
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def _listen(self) -> Server:
        """Bind the port, which after a restart may for a moment be taken by a client that still tries."""
        for _ in range(100):
            with contextlib.suppress(OSError):
                return Server(("127.0.0.1", self.port), self)
            time.sleep(0.02)
        return Server(("127.0.0.1", self.port), self)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], stand_in: StandIn) -> None:
        super().__init__(address, Handler)
        self.stand_in = stand_in
        self.is_cold = True

    def process_request(self, request: Any, client_address: Any) -> None:
        self.stand_in._sockets.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.stand_in._sockets.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that goes away is what some tests are about


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_seen(b"")

    def do_POST(self) -> None:
        self.handle_seen(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def handle_seen(self, body: bytes) -> None:
        url = urllib.parse.urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, url.path, dict(urllib.parse.parse_qsl(url.query)), headers, body)
        failure = self.server.stand_in.take(seen)
        time.sleep(self.server.stand_in.pause_s)
        if failure is None:
            self.answer(seen)
        elif failure.media_type:
            self.send(failure.status, failure.media_type, failure.body, failure.headers)
        elif failure.status > 0:
            self.answer_problem(failure)
        else:
            self.cut(failure)

    def answer(self, seen: Seen) -> None:
        if seen.method == "GET":
            self.send(200, "application/json", json.dumps({"name": "bright", "version": "1"}).encode(), {})
            return
        output = seen.query.get("output", "mask")
        try:
            body = render(seen.body, output, self.server.stand_in.classes)
        except OSError:
            self.answer_problem(Failure(415, "not-a-photo", "this is not a photo that can be read"))
            return
        cold = {"X-Cold-Start": "1"} if self.server.stand_in.count_answer(seen.body, self.server) else {}
        timing = {"Server-Timing": "decode;dur=1.50, infer;dur=12.00"}
        self.send(200, "application/json" if output == "json" else "image/png", body, timing | cold)

    def answer_problem(self, failure: Failure) -> None:
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

    def cut(self, failure: Failure) -> None:
        if failure is CUT_IN_MID_ANSWER:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n\x89PNG")
            self.wfile.flush()
        self.close_connection = True


def digest(photo: bytes) -> str:
    return hashlib.sha256(photo).hexdigest()


def render(photo: bytes, output: str = "mask", classes: int = 2) -> bytes:
    """Make what the function would make of a photo, were brightness its model."""
    with Image.open(io.BytesIO(photo)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    grey = np.asarray(upright.convert("L"))
    if output == "json":
        share = float((grey >= BRIGHT).mean())
        return json.dumps({"size": list(grey.shape), "classes": [{"name": "bright", "share": share}]}).encode()
    made = Image.fromarray(grey)
    if output == "mask" and classes == 2:
        made = made.point([0] * BRIGHT + [255] * (256 - BRIGHT), "1")
    elif output == "mask":
        made = Image.fromarray(grey // (256 // classes)).convert("L")
        made.putpalette([value for n in range(classes) for value in (n * 20, 255 - n * 20, 99)])
    elif output == "overlay":
        made = Image.blend(upright, made.convert("RGB"), 0.5)
    elif output == "cutout":
        upright.putalpha(made.point([0] * BRIGHT + [255] * (256 - BRIGHT)))
        made = upright
    out = io.BytesIO()
    made.save(out, "PNG")
    return out.getvalue()


def make_photo(seed: int, size_wh: tuple[int, int] = (16, 12)) -> bytes:
    """Make a small photo, as PNG, that no other seed makes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@contextlib.contextmanager
def standing_in(fail: Callable[[int, Seen], Failure | None] | None = None, pause_s: float = 0.0) -> Iterator[StandIn]:
    """Run a stand-in for the length of a test."""
    stand_in = StandIn(fail, pause_s)
    try:
        yield stand_in
    finally:
        stand_in.stop()


def test_the_stand_in_tells_one_photo_from_another_and_comes_back_after_a_restart() -> None:
    with standing_in() as stand_in:
        first = httpx.post(stand_in.url, content=make_photo(1), trust_env=False)
        stand_in.restart()
        second = httpx.post(stand_in.url, content=make_photo(2), trust_env=False)
    assert first.content == render(make_photo(1)) != second.content
    assert first.headers["X-Cold-Start"] == second.headers["X-Cold-Start"] == "1"
    assert stand_in.starts == 2
