"""The public URL of a service and of its traffic tags: access control, and the routing to a revision."""

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
Response = tuple[int, dict[str, str], bytes]


class IngressHandler(BaseHTTPRequestHandler):
    """Forward requests to the instance of the serving revision."""

    server: Ingress
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Check the caller's access, then forward the request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, response_body = self.respond(body)
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(response_body)))
        self.end_headers()
        self.wfile.write(response_body)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def respond(self, body: bytes) -> Response:
        """Return the response to a request, that of the instance or that of Cloud Run itself."""
        service, authorization = self.server.service, self.headers.get("Authorization", "")
        if service.annotations.get("run.googleapis.com/ingress", "all") != "all":
            return 404, {}, b"Page not found"
        if not service.is_public() and not self.server.may_call(authorization, self.server.audience):
            status = 401 if authorization else 403
            return status, {"WWW-Authenticate": "Bearer"}, b"Your client does not have permission."
        revision = service.tagged(self.server.tag) if self.server.tag else service.serving
        if revision is None:
            return 404, {}, b"Not Found"
        if revision.broken:
            return 500, {}, b"Internal Server Error"
        instance = revision.instance
        try:
            response = self.forward(instance.ensure_running(), body)
        except (StartFailed, OSError, http.client.HTTPException):
            return 503, {}, b"The request failed because the instance could not start."
        return response if instance.within_memory() else (503, {}, b"Memory limit exceeded.")

    def forward(self, port: int, body: bytes) -> Response:
        """Send the request to the instance on a port, and return its response."""
        instance = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        instance.request(self.command, self.path, body, headers)
        response = instance.getresponse()
        result = response.status, dict(response.getheaders()), response.read()
        instance.close()
        return result

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


class Ingress(ThreadingHTTPServer):
    """The server behind the URL of a service, or of a traffic tag of it.

    Attributes:
        service: The Cloud Run service.
        may_call: Return whether an Authorization header has a token for an audience.
        tag: The traffic tag; empty for the URL of the service.
        url: The URL.
        audience: The audience of the tokens that are accepted: the URL of the service, also for a traffic tag.
    """

    daemon_threads = True

    def __init__(
        self, service: Service, may_call: Callable[[str, str], bool], tag: str = "", audience: str = ""
    ) -> None:
        super().__init__(("127.0.0.1", 0), IngressHandler)
        self.service, self.may_call, self.tag = service, may_call, tag
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.audience = audience or self.url
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
