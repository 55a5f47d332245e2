"""AWS Lambda on the loopback interface: the runtime API that awslambdaric polls, and a function URL in front of it.

The runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
The events of a function URL: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import queue
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAX_PAYLOAD_BYTES = 6_291_556  # in each direction
TIMEOUT_S = 60.0
API = "/2018-06-01/runtime"


class LambdaService:
    """A function under AWS's runtime client, and the runtime API, which hands it events and receives its results.

    Args:
        folder: The unzipped archive.
        python: The Python to run it with, which has awslambdaric.
        env: Environment variables.
    """

    def __init__(self, folder: Path, python: str, env: Mapping[str, str]) -> None:
        """Start the runtime API and the function."""
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._results: dict[str, queue.Queue[Any]] = {}
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler_class(_RuntimeApi, service=self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{self._server.server_port}"
        environment = {**os.environ, "AWS_LAMBDA_RUNTIME_API": address, "LAMBDA_TASK_ROOT": str(folder), **env}
        command = [python, "-m", "awslambdaric", "handler.handler"]
        self._process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        """Stop the function and the runtime API."""
        self._process.kill()
        self._process.wait()
        self._server.shutdown()

    def invoke(self, event: dict[str, Any]) -> Any:
        """Return the function's result for an event.

        Args:
            event: Any event.

        Raises:
            RuntimeError: If the function failed, or its result is too large.
        """
        request_id, result = str(uuid.uuid4()), queue.Queue[Any]()
        self._results[request_id] = result
        self._events.put({"id": request_id, "event": event})
        value = self._wait(result)
        if isinstance(value, Exception):
            raise value
        return value

    def _wait(self, result: queue.Queue[Any]) -> Any:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                return result.get(timeout=0.5)
            assert self._process.poll() is None, f"the function exited with code {self._process.returncode}"
        raise AssertionError(f"no result within {TIMEOUT_S:.0f} s")

    def next_event(self) -> dict[str, Any]:
        """Wait for the next event."""
        return self._events.get(timeout=TIMEOUT_S)

    def finish(self, request_id: str, value: Any) -> None:
        """Hand over the result of an event, or an exception."""
        self._results[request_id].put(value)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: LambdaService

    def read(self) -> bytes:
        """Return the body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def respond(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send a response."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


class _RuntimeApi(_Handler):
    def do_GET(self) -> None:
        try:
            event = self.service.next_event()
        except queue.Empty:
            self.respond(500)
            return
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": event["id"],
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + TIMEOUT_S) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:silhouette",
        }
        self.respond(200, json.dumps(event["event"]).encode(), headers)

    def do_POST(self) -> None:
        body, parts = self.read(), self.path.removeprefix(f"{API}/").split("/")
        if parts[-1] == "response" and len(body) > MAX_PAYLOAD_BYTES:
            self.respond(413)
            self.service.finish(parts[1], RuntimeError("Response payload size exceeded maximum allowed payload size"))
        else:
            self.respond(202)
            result = json.loads(body)
            self.service.finish(parts[1], result if parts[-1] == "response" else RuntimeError(result))


class _FunctionUrl(_Handler):
    def do_POST(self) -> None:
        event = function_url_event(self.command, self.path, dict(self.headers.items()), self.read())
        if len(json.dumps(event)) > MAX_PAYLOAD_BYTES:
            self.respond(413, b'{"Message":"Request must be smaller than 6291556 bytes"}')
            return
        try:
            result = self.service.invoke(event)
        except RuntimeError:
            self.respond(502, b"Internal Server Error")
        else:
            self.respond(result["statusCode"], response_body(result), result["headers"])

    do_GET = do_HEAD = do_OPTIONS = do_POST


def function_url_event(method: str, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return the event of a function URL, or of an API Gateway HTTP API: payload format 2.0.

    Args:
        method: HTTP method.
        path: Path and query.
        headers: Headers.
        body: Body; text is sent as text, and all else in base64.
    """
    parts = urllib.parse.urlsplit(path)
    lower = {name.lower(): value for name, value in headers.items()}
    is_text = lower.get("content-type", "").startswith(("text/", "application/json"))
    return {
        "version": "2.0",
        "rawPath": urllib.parse.unquote(parts.path),
        "rawQueryString": parts.query,
        "headers": {"host": "abc.lambda-url.eu-west-1.on.aws", "x-forwarded-proto": "https"} | lower,
        "requestContext": {
            "http": {"method": method, "path": parts.path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"}
        },
        "body": body.decode() if is_text else base64.b64encode(body).decode(),
        "isBase64Encoded": not is_text,
    }


def rest_api_event(method: str, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return the event of an API Gateway REST API whose binary media type is */*: payload format 1.0."""
    parts = urllib.parse.urlsplit(path)
    query = urllib.parse.parse_qs(parts.query)
    return {
        "resource": "/{proxy+}",
        "path": parts.path,
        "httpMethod": method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {"stage": "Prod", "identity": {"sourceIp": "192.0.2.1"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def response_body(result: Mapping[str, Any]) -> bytes:
    """Return the bytes of a result's body."""
    body: str = result["body"]
    return base64.b64decode(body) if result["isBase64Encoded"] else body.encode()


@contextmanager
def run_lambda(folder: Path, python: str = sys.executable, **env: str) -> Iterator[LambdaService]:
    """Run the handler in a folder under AWS's runtime client.

    Args:
        folder: The unzipped archive.
        python: The Python to run it with, which has awslambdaric.
        env: Environment variables.

    Yields:
        The service, to send events to.
    """
    service = LambdaService(folder, python, env)
    try:
        yield service
    finally:
        service.stop()


@contextmanager
def function_url(service: LambdaService) -> Iterator[str]:
    """Serve the function URL of a function, and yield it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler_class(_FunctionUrl, service=service))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def _handler_class(base: type[_Handler], **attributes: Any) -> type[_Handler]:
    return type(base.__name__, (base,), attributes)
