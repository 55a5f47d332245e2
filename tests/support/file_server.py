"""An HTTP server for files that supports ranges and can fail on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer(ThreadingHTTPServer):
    """A server of files on loopback.

    Attributes:
        files: The content of each file by its path without the leading slash.
        ranges: The Range header of each request so far; None for a request without it.
        supports_ranges: Whether it sends partial content.
        cut_after: For each of the next responses, the number of bytes after which the connection is closed.
        failures: How many of the next requests are answered with 503.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.ranges: list[str | None] = []
        self.supports_ranges = True
        self.cut_after: list[int] = []
        self.failures = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """The server's address, without a trailing slash."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        server, requested = self.server, self.headers.get("Range")
        server.ranges.append(requested)
        data = server.files.get(self.path[1:])
        if data is None:
            self.send_error(404)
            return
        if server.failures:
            server.failures -= 1
            self.send_error(503)
            return
        start = int(requested.removeprefix("bytes=").rstrip("-")) if requested and server.supports_ranges else 0
        if start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = start + server.cut_after.pop(0) if server.cut_after else len(data)
        self.wfile.write(data[start:end])

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[FileServer]:
    """Serve files until the block ends."""
    server = FileServer(files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
