"""Pixels to the input tensor, and the output tensor to scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model import resize
from model.card import ModelCard


def to_input(pixels: NDArray[np.uint8], size_wh: tuple[int, int], card: ModelCard) -> NDArray[np.float32]:
    """Scale the photo to the model's input, each side on its own, and normalise it as the card says.

    pixels: uint8 (H', W', 3) RGB, 0-255
    size_wh: width and height of the model's input
    returns: float32 (1, h, w, 3)
    """
    small = resize.bilinear(pixels, size_wh)
    if card.order == "BGR":
        small = small[..., ::-1]
    mean, std = np.array(card.mean, np.float32), np.array(card.std, np.float32)
    return ((small - mean) / std)[np.newaxis]


def to_scores(output: NDArray[np.float32], card: ModelCard) -> NDArray[np.float32]:
    """Read the output tensor as the card says.

    output: float32 (1, h, w, K)
    returns: float32 (h, w, K), 0 to 1: of the object alone for K = 1, of each class for more
    """
    raw: NDArray[np.float32] = output[0]
    if card.activation == "sigmoid":
        raw = 1 / (1 + np.exp(-raw))
    elif card.activation == "softmax":
        powers = np.exp(raw - raw.max(axis=-1, keepdims=True))
        raw = powers / powers.sum(axis=-1, keepdims=True)
    return raw
