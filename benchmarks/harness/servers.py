"""The servers that are compared: how each is started, and how a photo is sent to it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.harness.http_exchange import Request
from benchmarks.harness.options import BENCHMARKS, MODEL, ROOT, Variant, model_file

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
        variant: Variant of the model; None for the one that our function selects.
    """

    name: str
    title: str
    folder: Path
    command: tuple[str, ...]
    path: str
    upload: Literal["body", "form", "base64"]
    output: Literal["mask", "tensor", "ok"]
    variant: Variant | None = None

    @property
    def is_ours(self) -> bool:
        """Whether this is our function."""
        return self.folder == ROOT

    @property
    def environment(self) -> str:
        """Name of the virtual environment, which servers that differ in the model alone share."""
        return "ours" if self.is_ours else self.folder.name

    @property
    def model(self) -> Path:
        """The model that the server runs."""
        return model_file(self.variant) if self.variant else MODEL

    @property
    def env(self) -> dict[str, str]:
        """The environment variables that select the model."""
        if self.is_ours:
            return {"MODEL_URI": str(self.model)} if self.variant else {}
        return {"MODEL": str(self.model)}

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
LITSERVE = ("server.py", "--port", "{port}", "--workers", "{workers}")


def _ours(name: str, title: str, variant: Variant | None = None) -> ServerSpec:
    return ServerSpec(name, title, ROOT, FRAMEWORK, "/", "body", "mask", variant)


def _litserve(variant: Variant) -> ServerSpec:
    title = f"LitServe, {variant}"
    return ServerSpec(
        f"litserve-{variant}", title, COMPETITORS / "litserve", LITSERVE, "/predict", "base64", "mask", variant
    )


def _naive(variant: Variant) -> ServerSpec:
    title = f"naive function, {variant}"
    return ServerSpec(f"naive-{variant}", title, COMPETITORS / "naive", FRAMEWORK, "/", "body", "mask", variant)


FLASK = ServerSpec(
    "flask_tensorflow",
    "Flask + TensorFlow (original article)",
    COMPETITORS / "flask_tensorflow",
    ("app.py",),
    "/predict",
    "form",
    "tensor",
    "float16",
)
OK = ServerSpec("ok", 'function that returns "ok"', COMPETITORS / "ok", FRAMEWORK, "/", "body", "ok")
# Each competitor runs the float16 model, as its user would take it, and the int8 model of ours, so that the gain of the
# model and the gain of the server are seen apart.
SERVERS = {
    spec.name: spec
    for spec in (
        _ours("ours", "Silhouette"),
        _ours("ours-float16", "Silhouette, float16", "float16"),
        FLASK,
        _litserve("float16"),
        _litserve("int8"),
        _naive("float16"),
        _naive("int8"),
        OK,
    )
}
