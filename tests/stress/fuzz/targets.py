"""The parsers of untrusted bytes that are fuzzed: each accepts any bytes and raises only unexpected errors."""

from __future__ import annotations

import base64
import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from functions_framework import create_app
from PIL import Image
from werkzeug.datastructures import Headers

from model.errors import ModelRejected, PhotoError
from model.image import decode
from model.tflite import card, metadata, verify
from tests.stress.hostile.forms import forms
from tests.stress.hostile.photos import FORMATS, sample_photo
from tests.support import tiff
from tests.support.icc import display_p3_profile
from tests.support.images import encode_image
from tests.support.paths import MODELS, ROOT

MODEL_FILES = sorted((MODELS / "served").glob("metadata*.tflite"))
MAX_PIXELS = 200_000
FORM_LIMIT_BYTES = 20_000


@dataclass(frozen=True)
class Target:
    """A parser.

    Attributes:
        run: Parses bytes; returns if they are invalid, raises for an unexpected error.
        seeds: Returns valid bytes to mutate.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def decode_photo(data: bytes) -> None:
    """Decode a photo, and check its size."""
    try:
        photo = decode.decode(data, (32, 32), MAX_PIXELS)
        shown = decode.decode(data, (32, 32), MAX_PIXELS, show="full")
    except PhotoError:
        return
    assert shown.size_wh == photo.size_wh
    assert shown.shown is None or shown.shown.shape[1::-1] == photo.size_wh
    height, width, channels = photo.pixels.shape
    assert channels == 3
    assert 0 < width <= photo.size_wh[0]
    assert 0 < height <= photo.size_wh[1]


def post_form(data: bytes) -> None:
    """Post a body to the function; the first line is the value of its Content-Type."""
    content_type, _, body = data.partition(b"\n")
    headers = Headers({"Content-Type": content_type.decode("latin-1").translate({0: " ", 13: " "})})
    response = _client().post("/", data=body, headers=headers)
    expected: tuple[str, ...] = ("image/png", "image/webp", "image/jpeg", "application/json")
    if response.status_code != 200:
        expected = ("application/problem+json",)
    assert response.status_code < 500, response.text
    assert response.content_type in expected, response.content_type


@cache
def _client() -> Any:
    return create_app("run", str(ROOT / "main.py")).test_client()


def read_card(data: bytes) -> None:
    """Read a card from JSON, and from the end of a model; a valid one is unchanged by writing and reading it."""
    text = data.decode(errors="replace")
    readers: list[Callable[[], card.ModelCard | None]] = [
        lambda: card.ModelCard.from_json(text),
        lambda: card.read(_file(data)),
    ]
    for read in readers:
        try:
            parsed = read()
        except ModelRejected:
            continue
        if parsed is not None:
            assert card.ModelCard.from_json(parsed.to_json()).to_json() == parsed.to_json()


def read_metadata(data: bytes) -> None:
    """Read standard metadata, and make a card of it."""
    model = {"metadata": [{"name": metadata.BUFFER_NAME, "buffer": 0}], "buffers": [{"data": (0, len(data))}]}
    try:
        values = metadata.read(_file(data), model, 0) or {}
        card.ModelCard().with_values(values)
    except (metadata.InvalidMetadata, ModelRejected):
        return


def read_model(data: bytes) -> None:
    """Read the tables of a model."""
    try:
        verify.read_model(_file(data))
    except ModelRejected:
        return


@cache
def _scratch_file() -> Path:
    """Return a file in memory, which is gone when the process ends, however it ends."""
    return Path(f"/proc/self/fd/{os.memfd_create('fuzz')}")


def _file(data: bytes) -> Path:
    _scratch_file().write_bytes(data)
    return _scratch_file()


def _photo_seeds() -> list[bytes]:
    photos = [sample_photo(name, 20, 16) for name in FORMATS]
    profiled = encode_image(Image.new("RGBA", (20, 16), "tan"), "PNG", icc_profile=display_p3_profile(), dpi=(300, 300))
    return [*photos, profiled, *_tiff_seeds()]


def _tiff_seeds() -> list[bytes]:
    """Return files of layouts that `image.tiff` has rules for."""
    rgb, grey = np.zeros((16, 20, 3), np.uint16), np.zeros((16, 20), np.uint16)
    preview, strips = tiff.page(grey[:8, :10], 0)
    return [
        tiff.tiff(tiff.page(rgb, 2, planar=True)),
        tiff.tiff(tiff.page(grey, 0, order=">"), order=">"),
        tiff.tiff(({**preview, tiff.NEW_SUBFILE_TYPE: 1}, strips), tiff.page(rgb, 2)),
    ]


def _json_seeds() -> list[bytes]:
    """Return bodies in JSON, each after the line of its Content-Type."""
    photo = base64.b64encode(sample_photo("PNG", 20, 16)).decode()
    contents = [{"image": photo}, {"image": f"data:image/png;base64,{photo}", "output": "cutout", "threshold": 0.5}]
    return [b"application/json\n" + json.dumps(content).encode() for content in contents]


def _form_seeds() -> list[bytes]:
    small = [case for case in forms() if len(case.body) < FORM_LIMIT_BYTES]
    return [*(case.content_type.encode("latin-1") + b"\n" + case.body for case in small), *_json_seeds()]


def _card_seeds() -> list[bytes]:
    with io.BytesIO() as archive:
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(card.MEMBER, card.ModelCard().to_json())
        embedded = archive.getvalue()
    return [card.ModelCard().to_json().encode(), embedded, b'{"labels": ["a", "b", "c"], "fit": "letterbox"}']


def _metadata_seeds() -> list[bytes]:
    return [_metadata_of(file) for file in MODEL_FILES]


def _metadata_of(file: Path) -> bytes:
    model = verify.read_model(file)
    indices = [entry["buffer"] for entry in model["metadata"] if entry["name"] == metadata.BUFFER_NAME]
    start, size = model["buffers"][indices[0]]["data"]
    return file.read_bytes()[start : start + size]


TARGETS = {
    "photo": Target(decode_photo, _photo_seeds),
    "form": Target(post_form, _form_seeds),
    "card": Target(read_card, _card_seeds),
    "metadata": Target(read_metadata, _metadata_seeds),
    "model": Target(read_model, lambda: [file.read_bytes() for file in MODEL_FILES]),
}
