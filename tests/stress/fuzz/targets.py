"""What is fuzzed: each takes any bytes, and lets out only errors that nobody foresaw."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from functions_framework import create_app
from werkzeug.datastructures import Headers

from model.errors import ModelRejected, PhotoError
from model.image import decode
from model.tflite import card, metadata, verify
from tests.stress.hostile.forms import forms
from tests.stress.hostile.photos import FORMATS, sample_photo
from tests.support.paths import ROOT

MODELS = sorted((ROOT / "tests" / "support" / "models" / "served").glob("metadata*.tflite"))
PIXELS = 200_000


@dataclass(frozen=True)
class Target:
    """Something that reads bytes.

    run: read them
    seeds: bytes to begin with
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def read_photo(data: bytes) -> None:
    """Decode a photo; what comes out has the size that it says."""
    try:
        shot = decode.decode(data, (32, 32), PIXELS)
    except PhotoError:
        return
    height, width, channels = shot.pixels.shape
    assert channels == 3
    assert 0 < width <= shot.size_wh[0]
    assert 0 < height <= shot.size_wh[1]


def send_form(data: bytes) -> None:
    """Send a body to the function, its first line as its type."""
    content_type, _, body = data.partition(b"\n")
    headers = Headers({"Content-Type": content_type.decode("latin-1").translate({0: " ", 13: " "})})
    answer = _door().post("/", data=body, headers=headers)
    expected = "image/png" if answer.status_code == 200 else "application/problem+json"
    assert answer.status_code < 500, answer.text
    assert answer.content_type == expected, answer.content_type


@cache
def _door() -> Any:
    return create_app("run", str(ROOT / "main.py")).test_client()


def read_card(data: bytes) -> None:
    """Read a card from its text, and from the end of a model; what is read can be written and read again."""
    text = data.decode(errors="replace")
    for read in (lambda: card.ModelCard.from_json(text), lambda: card.read(_file(data))):
        try:
            found = read()
        except ModelRejected:
            continue
        if found is not None:
            assert card.ModelCard.from_json(found.to_json()).to_json() == found.to_json()


def read_metadata(data: bytes) -> None:
    """Read standard metadata."""
    model = {"metadata": [{"name": metadata.BUFFER_NAME, "buffer": 0}], "buffers": [{"data": (0, len(data))}]}
    try:
        values = metadata.read(_file(data), model, 0) or {}
        card.ModelCard().with_values(values)
    except (metadata.InvalidMetadata, ModelRejected):
        return


def read_model(data: bytes) -> None:
    """Read a model's tables."""
    try:
        verify.read_model(_file(data))
    except ModelRejected:
        return


@cache
def _scratch() -> Path:
    return Path(f"/proc/self/fd/{os.memfd_create('fuzz')}")  # in memory, and gone with the process however it ends


def _file(data: bytes) -> Path:
    _scratch().write_bytes(data)
    return _scratch()


def _photos() -> list[bytes]:
    return [sample_photo(name, 20, 16) for name in FORMATS]


def _forms() -> list[bytes]:
    return [case.content_type.encode("latin-1") + b"\n" + case.body for case in forms() if len(case.body) < 20_000]


def _cards() -> list[bytes]:
    with io.BytesIO() as archive:
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(card.MEMBER, card.ModelCard().to_json())
        embedded = archive.getvalue()
    return [card.ModelCard().to_json().encode(), embedded, b'{"labels": ["a", "b", "c"], "fit": "letterbox"}']


def _metadata() -> list[bytes]:
    return [_metadata_of(file) for file in MODELS]


def _metadata_of(file: Path) -> bytes:
    model = verify.read_model(file)
    places = [entry["buffer"] for entry in model["metadata"] if entry["name"] == metadata.BUFFER_NAME]
    start, size = model["buffers"][places[0]]["data"]
    return file.read_bytes()[start : start + size]


TARGETS = {
    "photo": Target(read_photo, _photos),
    "form": Target(send_form, _forms),
    "card": Target(read_card, _cards),
    "metadata": Target(read_metadata, _metadata),
    "model": Target(read_model, lambda: [file.read_bytes() for file in MODELS]),
}
