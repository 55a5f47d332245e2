"""HTTP: which request goes to which answer, and the proxy that lets nothing out.

gcloud and curl are told that every API is at http://SERVICE.fake.invalid/ and that this server is their proxy: so a
request names its API by its host, and one that tries to leave the machine arrives here too, as a CONNECT.
"""

from __future__ import annotations

import json
import re
import traceback
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from .faults import ApiError

if TYPE_CHECKING:
    from .cloud import Cloud

DOMAIN = "fake.invalid"
# Who asks without naming an API: a function's instance, for Cloud Storage.
INSTANCES = "instances"
JSON = "application/json"


@dataclass
class Call:
    """A request to an API.

    service: which API: the first label of the host, without a region before it
    names: what the path names, by the route's groups
    """

    service: str
    method: str
    path: str
    query: dict[str, str]
    body: bytes
    authorization: str
    names: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body or b"{}")


@dataclass
class Media:
    """An answer that is no JSON: the bytes of an object."""

    data: bytes
    headers: dict[str, str]


Answer = Callable[["Cloud", Call], Any]
Route = tuple[str, str, Answer]  # method, regular expression of the path, answer


def read_call(method: str, url: str, body: bytes, authorization: str) -> Call:
    """Read a request as a proxy gets it, with the whole address."""
    parts = urllib.parse.urlsplit(url)
    host = (parts.hostname or INSTANCES).removesuffix("." + DOMAIN)
    service = "run" if host.endswith("-run") else host
    query = dict(urllib.parse.parse_qsl(parts.query))
    return Call(service, method, urllib.parse.unquote(parts.path), query, body, authorization)


def answer(cloud: Cloud, call: Call) -> Any:
    """Find the route, and have it answer.

    raises: ApiError
    """
    for method, pattern, handler in cloud.routes.get(call.service, []):
        match = re.fullmatch(pattern, call.path)
        if match and method == call.method:
            call.names = match.groupdict()
            return handler(cloud, call)
    cloud.unforeseen.append(f"{call.service} {call.method} {call.path}")
    raise ApiError(404, f"Method not found: {call.method} {call.path} of {call.service}")


class Handler(BaseHTTPRequestHandler):
    """Read requests, write JSON."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        """Refuse what tries to leave the machine, and keep it for the test to see."""
        self.server.cloud.connects.append(self.path)
        self.send_error(403, "nothing leaves this machine")

    def do_GET(self) -> None:
        """Answer a request to an API."""
        length = int(self.headers.get("Content-Length") or 0)
        call = read_call(self.command, self.path, self.rfile.read(length), self.headers.get("Authorization", ""))
        cloud = self.server.cloud
        cloud.requests.append(f"{call.service} {call.method} {call.path}")
        try:
            cloud.admit(call)
            status, body = 200, answer(cloud, call)
        except ApiError as error:
            status, body = error.status, error.body()
        except Exception:
            cloud.unforeseen.append(traceback.format_exc())
            status, body = 500, ApiError(500, "the stand-in failed").body()
        media = body if isinstance(body, Media) else Media(json.dumps(body).encode(), {"Content-Type": JSON})
        text = media.data
        self.send_response(status)
        for name, value in media.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """The server of one stand-in."""

    daemon_threads = True

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        super().__init__(("127.0.0.1", 0), Handler)
