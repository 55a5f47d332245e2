"""The HTTP server of the fake: routing of requests to the APIs, and a proxy that lets no request leave the machine.

gcloud and curl are configured with http://SERVICE.fake.invalid/ as the endpoint of each API, and with this server as
their proxy. So the host of a request names its API, and a request to any other host arrives here as a CONNECT.
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

from .errors import ApiError

if TYPE_CHECKING:
    from .cloud import FakeCloud

DOMAIN = "fake.invalid"
# The service of requests without a host: those of a function's instance to Cloud Storage.
INSTANCES = "instances"


@dataclass
class Request:
    """A request to an API.

    Attributes:
        service: The API: the first label of the host, without a region before it.
        region: The region before it, or an empty string.
        method: HTTP method.
        path: Path, with percent-encoding decoded.
        query: Query parameters.
        body: Body.
        authorization: The Authorization header, or an empty string.
        names: The named groups of the route's regular expression.
    """

    service: str
    region: str
    method: str
    path: str
    query: dict[str, str]
    body: bytes
    authorization: str
    names: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Return the parsed body."""
        return json.loads(self.body or b"{}")


@dataclass
class RawResponse:
    """A response whose body is not JSON.

    Attributes:
        body: Body.
        headers: Headers besides Content-Length.
    """

    body: bytes
    headers: dict[str, str]


Endpoint = Callable[["FakeCloud", Request], Any]
Route = tuple[str, str, Endpoint]  # method, regular expression of the path, endpoint


def parse_request(method: str, url: str, body: bytes, authorization: str) -> Request:
    """Parse a request to a proxy, which has an absolute URL."""
    parts = urllib.parse.urlsplit(url)
    host = (parts.hostname or INSTANCES).removesuffix("." + DOMAIN)
    region, service = (host.removesuffix("-run"), "run") if host.endswith("-run") else ("", host)
    query = dict(urllib.parse.parse_qsl(parts.query))
    return Request(service, region, method, urllib.parse.unquote(parts.path), query, body, authorization)


def dispatch(cloud: FakeCloud, request: Request) -> Any:
    """Return the response of the endpoint that a request matches.

    Raises:
        ApiError: If the endpoint refuses the request, or there is no endpoint.
    """
    for method, pattern, endpoint in cloud.routes.get(request.service, []):
        match = re.fullmatch(pattern, request.path)
        if match and method == request.method:
            request.names = match.groupdict()
            return endpoint(cloud, request)
    cloud.unexpected.append(f"{request.service} {request.method} {request.path}")
    raise ApiError(404, f"Method not found: {request.method} {request.path} of {request.service}")


def respond(cloud: FakeCloud, request: Request) -> tuple[int, RawResponse]:
    """Return the status and the response to a request; errors become responses too."""
    cloud.requests.append(f"{request.service} {request.method} {request.path}")
    try:
        cloud.authorize(request)
        status, response = 200, dispatch(cloud, request)
    except ApiError as error:
        status, response = error.status, error.body()
    except Exception:
        cloud.unexpected.append(traceback.format_exc())
        status, response = 500, ApiError(500, "the fake failed").body()
    if isinstance(response, RawResponse):
        return status, response
    return status, RawResponse(json.dumps(response).encode(), {"Content-Type": "application/json"})


class ApiHandler(BaseHTTPRequestHandler):
    """Handle the requests to the APIs."""

    server: ApiServer
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        """Refuse and record a request to another host."""
        self.server.cloud.connects.append(self.path)
        self.send_error(403, "no request may leave this machine")

    def do_GET(self) -> None:
        """Handle a request to an API."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = parse_request(self.command, self.path, body, self.headers.get("Authorization", ""))
        status, response = respond(self.server.cloud, request)
        self.send_response(status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


class ApiServer(ThreadingHTTPServer):
    """The server of one fake cloud."""

    daemon_threads = True

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud
        super().__init__(("127.0.0.1", 0), ApiHandler)
