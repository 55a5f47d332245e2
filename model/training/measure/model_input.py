"""A photo file as the input of a model, by the function's own decoding and preprocessing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import PhotoError
from model.image import decode, preprocess
from model.tflite.card import ModelCard
from model.training.cli import CommandError

MAX_PIXELS = 200_000_000


def read_input(file: Path, size_wh: tuple[int, int], card: ModelCard) -> NDArray[np.float32]:
    """Read a photo as the float input of a model.

    Args:
        file: The photo.
        size_wh: Width and height of the model's input, in pixels.
        card: The model card, whose channel order, mean and std are applied.

    Returns:
        float32 (1, h, w, 3).

    Raises:
        CommandError: If the photo cannot be decoded.
    """
    try:
        photo = decode.decode(file.read_bytes(), size_wh, MAX_PIXELS)
    except PhotoError as error:
        raise CommandError(f"{file}: {error}") from error
    return preprocess.to_input(photo.pixels, size_wh, card)
