"""A picture of a photo's mask before and after the conversion of a model."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.image import preprocess, score_map
from model.tflite.card import ModelCard
from model.tflite.tensor_specs import InputSpec
from model.training import cli
from model.training.measure import contact_sheet
from model.training.measure.interpreter import Interpreter
from model.training.measure.model_input import read_pixels

Infer = Callable[[NDArray[np.float32]], NDArray[Any]]
SIDE_PX = 512  # of the photo that is compared
DIFFERENCE_COLOUR = (255, 0, 0)


def check(model: Infer, spec: InputSpec, converted: Path, photo_file: Path, card: ModelCard) -> str:
    """Draw the masks of the float model and of the .tflite side by side, and where they differ.

    Args:
        model: The float model.
        spec: Spec of its input.
        converted: The .tflite; the picture is written beside it, as NAME-check.png.
        photo_file: The photo.
        card: The card of both.

    Returns:
        The share of pixels that differ, and where the picture is, in a line.

    Raises:
        CommandError: If the photo cannot be decoded.
    """
    image = Image.fromarray(read_pixels(photo_file, (SIDE_PX, SIDE_PX)))
    image.thumbnail((SIDE_PX, SIDE_PX))
    photo = np.asarray(image)
    with cli.silence_native_output():
        before, after = (_mask(infer, spec, photo, card) for infer in (model, Interpreter(converted)))
    differs = before != after
    share = f"{differs.mean():.2%} of the pixels differ"
    marked = np.where(differs[..., np.newaxis], np.array(DIFFERENCE_COLOUR, np.uint8), photo // 2)
    masks = [contact_sheet.overlay(photo, mask, card) for mask in (before, after)]
    tiles = list(zip((photo, *masks, marked), ("photo", "float model", converted.name, share), strict=True))
    picture = converted.with_name(f"{converted.stem}-check.png")
    with io.BytesIO() as stream:
        contact_sheet.draw([tiles]).save(stream, "PNG")
        cli.write_atomic(picture, stream.getvalue())
    return f"{photo_file.name}: {share}; the masks of both models are in {picture}"


def _mask(infer: Infer, spec: InputSpec, photo: NDArray[np.uint8], card: ModelCard) -> NDArray[np.uint8]:
    """Return a model's mask of a photo at the photo's size."""
    photo_wh = photo.shape[1], photo.shape[0]
    input_wh = spec.size_for(photo_wh)
    output = infer(preprocess.to_input(photo, input_wh, card, spec.as_float()))
    box = preprocess.photo_box(photo_wh, input_wh, card.fit)
    return score_map.from_values(output[0], card, input_wh, box).class_ids(photo_wh, card.threshold)
