"""Azure Functions on the loopback interface: python -m tests.support.azure_host FOLDER PORT.

Imports the function_app.py of a folder as Azure's worker does, and turns HTTP requests into calls of its function by
the converters of the package azure-functions. Not covered: the host, its function keys, and gRPC between both.
"""

from __future__ import annotations

import http.server
import importlib
import json
import os
import sys
import urllib.parse
from pathlib import Path
from typing import Any

from azure.functions import http as converters
from azure.functions.meta import Datum


def main() -> None:
    """Serve the function of the folder until the process is killed."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    (function,) = importlib.import_module("function_app").app.get_functions()
    trigger = json.loads(str(function))["bindings"][0]
    prefix = json.loads((folder / "host.json").read_text())["extensions"]["http"]["routePrefix"]
    expected = ("httpTrigger", "/{*route}", "FUNCTION", "")
    assert (trigger["type"], trigger["route"], trigger["authLevel"], prefix) == expected
    attributes = {"function": staticmethod(function.get_user_function()), "methods": trigger["methods"]}
    handler = type("Handler", (Host,), attributes)
    http.server.ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()


class Host(http.server.BaseHTTPRequestHandler):
    """Answers a request by a call of the function."""

    protocol_version = "HTTP/1.1"
    function: Any
    methods: list[str]

    def do_POST(self) -> None:
        assert self.command in [method.upper() for method in self.methods]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = converters.HttpRequestConverter.decode(self.datum(body), trigger_metadata=None)
        response = converters.HttpResponseConverter.encode(self.function(request, None), expected_type=None).value
        self.send_response(int(response["status_code"].value))
        for name, value in response["headers"].items():
            if name.lower() != "content-length":
                self.send_header(name, value.value)
        content = response["body"].value
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_OPTIONS = do_POST

    def datum(self, body: bytes) -> Datum:
        """Return a request as the host sends it to the worker, in which bodies of JSON and text are strings."""
        parts = urllib.parse.urlsplit(self.path)
        text = self.headers.get("Content-Type", "").startswith(("application/json", "text/"))
        value = {
            "method": Datum(self.command, "string"),
            "url": Datum(f"https://silhouette.azurewebsites.net{self.path}", "string"),
            "headers": {name.lower(): Datum(value, "string") for name, value in self.headers.items()},
            "query": {name: Datum(value, "string") for name, value in urllib.parse.parse_qsl(parts.query)},
            "params": {"route": Datum(parts.path.lstrip("/"), "string")},
            "body": Datum(body.decode(), "string") if text else Datum(body, "bytes"),
        }
        return Datum(value, "http")

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


if __name__ == "__main__":
    main()
