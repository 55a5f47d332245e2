"""The function's URL: who may come in, and to which revision they go."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .instance import StartFailed
from .resources import Service

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
TIMEOUT_S = 60


class Handler(BaseHTTPRequestHandler):
    """Hand a request on to the instance of the revision that serves."""

    server: Front
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Let the caller in or not, then hand on."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service, authorization = self.server.service, self.headers.get("Authorization", "")
        if not service.is_public() and not self.server.may_call(authorization, self.server.url):
            status = 401 if authorization else 403
            return self.say(status, {"WWW-Authenticate": "Bearer"}, b"Your client does not have permission.")
        assert service.serving is not None
        if service.serving.broken:
            return self.say(500, {}, b"Internal Server Error")
        instance = service.serving.instance
        try:
            answer = self.hand_on(instance.ensure_running(), body)
        except (StartFailed, OSError, http.client.HTTPException):
            return self.say(503, {}, b"The request failed because the instance could not start.")
        if not instance.within_memory():
            return self.say(503, {}, b"Memory limit exceeded.")
        return self.say(*answer)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def hand_on(self, port: int, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Ask the instance."""
        instance = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        instance.request(self.command, self.path, body, headers)
        answer = instance.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        instance.close()
        return found

    def say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Write an answer."""
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Front(ThreadingHTTPServer):
    """The address of one function.

    may_call: told the Authorization header and the address that a token must be made for
    """

    daemon_threads = True

    def __init__(self, service: Service, may_call: Callable[[str, str], bool]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.service, self.may_call = service, may_call
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
