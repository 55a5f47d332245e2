"""Run a model whose output covers only the middle of its input, as a network with valid padding, on a whole photo.

The input is moved over the photo, which is mirrored beyond its edges, so that the outputs cover all of it at the
model's own scale: the overlap-tile strategy of Ronneberger et al. 2015 (U-Net).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.image import preprocess
from model.tflite.card import ModelCard
from model.tflite.tensor_specs import InputSpec

Run = Callable[[NDArray[Any]], NDArray[Any]]


def infer(
    run: Run, pixels: NDArray[np.uint8], input_wh: tuple[int, int], card: ModelCard, spec: InputSpec
) -> NDArray[Any]:
    """Return the output for a whole photo.

    Args:
        run: The model as a function from an input tensor to its output as (h', w', K).
        pixels: uint8 (H', W', 3) RGB.
        input_wh: Width and height of the input.
        card: The card; its border is that which the output does not cover.
        spec: Spec of the input.

    Returns:
        (h, w, K), which covers all of the input.
    """
    border, (width, height) = card.border, input_wh
    photo = np.pad(preprocess.fit(pixels, input_wh, card), ((border, border), (border, border), (0, 0)), "symmetric")
    whole: NDArray[Any] | None = None
    for x, y in product(offsets(width, border), offsets(height, border)):
        tile = run(preprocess.to_input(photo[y : y + height, x : x + width], input_wh, card, spec))
        scale_x, scale_y = tile.shape[1] / (width - 2 * border), tile.shape[0] / (height - 2 * border)
        if whole is None:
            whole = np.empty((round(height * scale_y), round(width * scale_x), tile.shape[2]), tile.dtype)
        left, top = round(x * scale_x), round(y * scale_y)
        whole[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    assert whole is not None
    return whole


def offsets(side: int, border: int) -> list[int]:
    """Return where outputs begin so that they cover a side of the photo, in pixels of the input."""
    covered = side - 2 * border
    return [round(offset) for offset in np.linspace(0, 2 * border, -(-side // covered)).tolist()]
