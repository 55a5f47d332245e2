"""Reference masks, and the check of a server's response against them."""

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
from benchmarks.harness.servers import ServerSpec

MIN_AGREEMENT = 0.98  # competitors decode and resize differently, and so differ along the outline


class WrongMask(Exception):
    """A server returned a wrong mask, so that its timings are meaningless."""


def reference(photos: Sequence[Photo], python: Path, size: str = "photo", model: Path = MODEL) -> dict[str, bytes]:
    """Segment photos with `python -m model`.

    Args:
        photos: Photos to segment.
        python: Interpreter that has the packages of the function.
        size: Size of the masks, `photo` or `model`.
        model: Path of the model.

    Returns:
        The PNG mask of each photo, by the photo's name.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [str(photo.file) for photo in photos]
        command = [str(python), "-m", "model", *files, "--size", size, "--model", str(model), "--out", folder]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return {photo.name: Path(folder, f"{photo.file.stem}-mask.png").read_bytes() for photo in photos}


def references(
    specs: Sequence[ServerSpec], photos: Sequence[Photo], python: Path, size: str = "photo"
) -> dict[str, dict[str, bytes]]:
    """Return the mask of each photo by the model of each server, by the names of the server and of the photo."""
    by_model = {model: reference(photos, python, size, model) for model in {spec.model for spec in specs}}
    return {spec.name: by_model[spec.model] for spec in specs}


def check(spec: ServerSpec, body: bytes, reference_png: bytes) -> float:
    """Compare a response with the reference mask: ours byte by byte, a competitor's pixel by pixel.

    Args:
        spec: The server that responded.
        body: Response body.
        reference_png: Mask of `python -m model` with the server's model, at the model's size for a server that returns
            a tensor.

    Returns:
        The share of equal pixels, 0 to 1.

    Raises:
        WrongMask: If ours differs at all, or a competitor's in more than 2 % of the pixels.
    """
    if spec.is_ours and body != reference_png:
        raise WrongMask("the response of the function differs from the mask of python -m model")
    if spec.output == "ok":
        if body != b"ok":
            raise WrongMask('the function that returns "ok" returned something else')
        return 1.0
    share = agreement(body, reference_png) if spec.output == "mask" else tensor_agreement(body, reference_png)
    if share < MIN_AGREEMENT:
        raise WrongMask(f"{spec.name} agrees with python -m model on {share:.1%} of the pixels only")
    return share


def agreement(png: bytes, reference_png: bytes) -> float:
    """Return the share of pixels in which two masks agree, or 0 if their sizes differ."""
    pixels, expected = object_pixels(png), object_pixels(reference_png)
    return float((pixels == expected).mean()) if pixels.shape == expected.shape else 0.0


def tensor_agreement(body: bytes, reference_png: bytes) -> float:
    """Return the agreement of a mask with a (1, h, w, 1) tensor in JSON, after applying the model's threshold."""
    scores = np.array(json.loads(body)["result"], np.float32)[0, :, :, 0]
    expected = object_pixels(reference_png)
    return float(((scores >= card()["threshold"]) == expected).mean()) if scores.shape == expected.shape else 0.0


def object_pixels(png: bytes) -> NDArray[np.bool_]:
    """Decode a mask: bool (H, W), true inside the object."""
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image).astype(bool)


def card(model: Path = MODEL) -> dict[str, Any]:
    """Return the model card that is embedded in a model file."""
    with zipfile.ZipFile(model) as archive:
        content: dict[str, Any] = json.loads(archive.read("silhouette.json"))
    return content
