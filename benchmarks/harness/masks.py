"""The right masks, and whether an answer is one."""

from __future__ import annotations

import io
import json
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.harness.options import MODEL, ROOT
from benchmarks.harness.photos import Photo
from benchmarks.harness.servers import Contestant

AGREEMENT = 0.98  # another program decodes and enlarges in its own way, and differs along the outline


class WrongMask(Exception):
    """An answer that no figure may be taken from."""


def expected(photos: Sequence[Photo], python: Path, size: str = "photo", model: Path = MODEL) -> dict[str, bytes]:
    """Segment photos by `python -m model`.

    returns: the PNG of each, by the photo's name
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [str(photo.file) for photo in photos]
        command = [str(python), "-m", "model", *files, "--size", size, "--model", str(model), "--out", folder]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return {photo.name: Path(folder, f"{photo.file.stem}-mask.png").read_bytes() for photo in photos}


def check(contestant: Contestant, body: bytes, right: bytes) -> float:
    """Hold an answer against the right mask: ours byte for byte, another's pixel by pixel.

    right: the PNG by `python -m model`; at the model's size where the answer is a tensor
    returns: the share of pixels that agree
    raises: WrongMask
    """
    if contestant.name == "ours" and body != right:
        raise WrongMask("the function's answer is not what python -m model writes")
    if contestant.answers == "ok":
        if body != b"ok":
            raise WrongMask('the function that answers "ok" did not')
        return 1.0
    share = agreement(body, right) if contestant.answers == "mask" else tensor_agreement(body, right)
    if share < AGREEMENT:
        raise WrongMask(f"{contestant.name} agrees with python -m model on {share:.1%} of the pixels")
    return share


def agreement(png: bytes, right: bytes) -> float:
    """Give the share of pixels on which two masks agree, 0 where their sizes differ."""
    one, two = object_pixels(png), object_pixels(right)
    return float((one == two).mean()) if one.shape == two.shape else 0.0


def tensor_agreement(answer: bytes, right: bytes) -> float:
    """Give the same for a tensor (1, h, w, 1) in JSON, decided by the model's own threshold."""
    scores = np.array(json.loads(answer)["result"], np.float32)[0, :, :, 0]
    two = object_pixels(right)
    return float(((scores >= card()["threshold"]) == two).mean()) if scores.shape == two.shape else 0.0


def object_pixels(png: bytes) -> NDArray[np.bool_]:
    """Read a mask: bool (H, W), true where the object is."""
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image).astype(bool)


def card(model: Path = MODEL) -> dict[str, Any]:
    """Read the card inside the model."""
    with zipfile.ZipFile(model) as archive:
        found: dict[str, Any] = json.loads(archive.read("silhouette.json"))
    return found
