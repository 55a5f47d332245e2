"""Who is compared, and how each of them is started and asked."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.harness.http_exchange import Question
from benchmarks.harness.options import HERE, ROOT

COMPETITORS = HERE / "competitors"
BOUNDARY = "benchmark-of-silhouette"


@dataclass(frozen=True)
class Contestant:
    """A server under test.

    title: what tables and pictures call it
    folder: where it is started
    command: its arguments after the interpreter's name; {port} and {workers} are filled in
    upload: how its users send a photo
    answers: a mask as PNG, the raw tensor as JSON, or nothing of use
    """

    name: str
    title: str
    folder: Path
    command: tuple[str, ...]
    path: str
    upload: Literal["body", "form", "base64"]
    answers: Literal["mask", "tensor", "ok"]

    @property
    def requirements(self) -> Path:
        """Tell where its pins are."""
        return self.folder / "requirements.txt"

    def question(self, photo: bytes, content_type: str) -> Question:
        """Pack a photo as its users do."""
        if self.upload == "base64":
            packed = json.dumps({"image": base64.b64encode(photo).decode()}).encode()
            return Question(self.path, "application/json", packed)
        if self.upload == "form":
            head = (
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo"\r\n'
                f"Content-Type: {content_type}\r\n\r\n"
            )
            form = head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
            return Question(self.path, f"multipart/form-data; boundary={BOUNDARY}", form)
        return Question(self.path, content_type, photo)


FRAMEWORK = ("-m", "functions_framework", "--target", "run", "--host", "127.0.0.1", "--port", "{port}")
ALL = {
    one.name: one
    for one in (
        Contestant("ours", "Silhouette", ROOT, FRAMEWORK, "/", "body", "mask"),
        Contestant(
            "older",
            "older recipe: Flask, TensorFlow, JSON",
            COMPETITORS / "flask_tensorflow",
            ("app.py",),
            "/predict",
            "form",
            "tensor",
        ),
        Contestant(
            "litserve",
            "LitServe, same model",
            COMPETITORS / "litserve",
            ("server.py", "--port", "{port}", "--workers", "{workers}"),
            "/predict",
            "base64",
            "mask",
        ),
        Contestant("naive", "naive function, same model", COMPETITORS / "naive", FRAMEWORK, "/", "body", "mask"),
        Contestant("ok", 'function that answers "ok"', COMPETITORS / "ok", FRAMEWORK, "/", "body", "ok"),
    )
}
