"""Find out whether the output of a model covers the middle of its input only, as with valid padding."""

from __future__ import annotations

import numpy as np

from model.tflite import infer_card
from model.tflite.card import ModelCard
from model.tflite.infer_card import Infer
from model.tflite.tensor_specs import OutputSpec


def infer_border(output: OutputSpec, input_wh: tuple[int, int], card: ModelCard, infer: Infer) -> int:
    """Return how many pixels on each side of the input the output does not cover.

    A network with valid padding cuts the same number of pixels off both axes. Whether an output of such a size is
    that of the middle, or one of the whole input at another scale, is measured: where a part of the input changes,
    the output changes at the place of one or the other.

    Args:
        output: The model's output.
        input_wh: Width and height of the input.
        card: The card so far.
        infer: As for `infer_card.activation`.
    """
    cut = [side - length for side, length in zip(input_wh, output.size_wh, strict=True)]
    if cut[0] != cut[1] or cut[0] < 2 or cut[0] % 2 or any(map(_is_strided, input_wh, output.size_wh)):
        return 0
    margin, width = cut[0] // 2, output.size_wh[0]
    column = margin + width // 4
    if abs(width / 4 - column * width / input_wh[0]) < 1:
        return 0  # the two readings differ by less than a pixel
    image = infer_card.probe_images(input_wh)[-1]
    changed = image.copy()
    changed[:, column - 2 : column + 3] = 255 - changed[:, column - 2 : column + 3]
    difference = np.abs(infer(changed, card) - infer(image, card)).sum(axis=(0, 2)) ** 2
    if not difference.any():
        return 0
    centre = float(np.average(np.arange(width) + 0.5, weights=difference))
    return margin if abs(centre - width / 4) < abs(centre - column * width / input_wh[0]) else 0


def _is_strided(side: int, length: int) -> bool:
    """Return whether an output's side is that of an input at a whole stride, rounded as any of the frameworks does."""
    stride = max(1, round(side / length))
    return abs(side - stride * length) < stride or (stride > 1 and abs(side - 1 - stride * (length - 1)) < stride)
