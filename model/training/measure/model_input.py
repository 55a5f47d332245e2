"""A photo file as the input of a model, by the function's own decoding and preprocessing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import PhotoError
from model.image import decode, preprocess
from model.image.decode import DecodedPhoto
from model.tflite.card import ModelCard
from model.tflite.tensor_specs import InputSpec
from model.training.cli import CommandError

MAX_PIXELS = 200_000_000


def read_input(file: Path, spec: InputSpec, card: ModelCard) -> NDArray[np.float32]:
    """Read a photo as the float input of a model.

    Args:
        file: The photo.
        spec: Spec of the model's input.
        card: The model card, which says how to fit and normalize the photo.

    Returns:
        float32, of the axes of the input.

    Raises:
        CommandError: If the photo cannot be decoded.
    """
    photo = _decode(file, spec.max_wh)
    return preprocess.to_input(photo.pixels, spec.size_for(photo.size_wh), card, spec.as_float())


def read_pixels(file: Path, covering_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a photo as uint8 (H', W', 3) RGB, of the given width and height or more.

    Raises:
        CommandError: If the photo cannot be decoded.
    """
    return _decode(file, covering_wh).pixels


def _decode(file: Path, covering_wh: tuple[int, int]) -> DecodedPhoto:
    try:
        return decode.decode(file.read_bytes(), covering_wh, MAX_PIXELS)
    except PhotoError as error:
        raise CommandError(f"{file}: {error}") from error
