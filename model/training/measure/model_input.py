"""A photo file as the input of a model, by the function's own decoding and preprocessing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import PhotoError
from model.image import decode, preprocess
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
    try:
        photo = decode.decode(file.read_bytes(), spec.max_wh, MAX_PIXELS)
    except PhotoError as error:
        raise CommandError(f"{file}: {error}") from error
    return preprocess.to_input(photo.pixels, spec.size_for(photo.size_wh), card, spec.as_float())
