"""The servers that are compared: how each is started, and how a photo is sent to it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.harness.http_exchange import Request
from benchmarks.harness.options import BENCHMARKS, ROOT

COMPETITORS = BENCHMARKS / "competitors"
MULTIPART_BOUNDARY = "benchmark-of-silhouette"


@dataclass(frozen=True)
class ServerSpec:
    """A server under test.

    Attributes:
        name: Key in results and in the option `--only`.
        title: Label in tables and charts.
        folder: Working directory of the server.
        command: Arguments after the interpreter; `{port}` and `{workers}` are substituted.
        path: URL path that photos are posted to.
        upload: Encoding of the photo: raw request body, multipart form, or base64 in JSON.
        output: Content of a response: a PNG mask, the raw tensor as JSON, or the text "ok".
    """

    name: str
    title: str
    folder: Path
    command: tuple[str, ...]
    path: str
    upload: Literal["body", "form", "base64"]
    output: Literal["mask", "tensor", "ok"]

    @property
    def requirements(self) -> Path:
        """The file with the pinned requirements of the server."""
        return self.folder / "requirements.txt"

    def request(self, photo: bytes, content_type: str) -> Request:
        """Return the request that uploads a photo to this server.

        Args:
            photo: Bytes of the image file.
            content_type: Media type of the image file.
        """
        if self.upload == "base64":
            body = json.dumps({"image": base64.b64encode(photo).decode()}).encode()
            return Request(self.path, "application/json", body)
        if self.upload == "form":
            head = (
                f'--{MULTIPART_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo"\r\n'
                f"Content-Type: {content_type}\r\n\r\n"
            )
            form = head.encode() + photo + f"\r\n--{MULTIPART_BOUNDARY}--\r\n".encode()
            return Request(self.path, f"multipart/form-data; boundary={MULTIPART_BOUNDARY}", form)
        return Request(self.path, content_type, photo)


FRAMEWORK = ("-m", "functions_framework", "--target", "run", "--host", "127.0.0.1", "--port", "{port}")
SERVERS = {
    spec.name: spec
    for spec in (
        ServerSpec("ours", "Silhouette", ROOT, FRAMEWORK, "/", "body", "mask"),
        ServerSpec(
            "flask_tensorflow",
            "Flask + TensorFlow (original article)",
            COMPETITORS / "flask_tensorflow",
            ("app.py",),
            "/predict",
            "form",
            "tensor",
        ),
        ServerSpec(
            "litserve",
            "LitServe, same model",
            COMPETITORS / "litserve",
            ("server.py", "--port", "{port}", "--workers", "{workers}"),
            "/predict",
            "base64",
            "mask",
        ),
        ServerSpec("naive", "naive function, same model", COMPETITORS / "naive", FRAMEWORK, "/", "body", "mask"),
        ServerSpec("ok", 'function that returns "ok"', COMPETITORS / "ok", FRAMEWORK, "/", "body", "ok"),
    )
}
