"""Pixels to the input tensor, and the output tensor to scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.image import resize
from model.tflite.card import ModelCard
from model.tflite.tensor_specs import InputSpec, OutputSpec

GREY = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601, as Pillow has it
COLOUR = InputSpec("NHWC", (1, -1, -1, 3), 3)
EXPONENT_LIMIT = 80.0  # beyond it float32 overflows

Box = tuple[int, int, int, int]


def placement(photo_wh: tuple[int, int], size_wh: tuple[int, int], fit: str) -> Box:
    """Tell which part of the model's input the photo fills: left, top, right, bottom."""
    width, height = size_wh
    if fit == "stretch":
        return 0, 0, width, height
    scale = min(width / photo_wh[0], height / photo_wh[1])
    wide, high = (max(1, min(side, round(length * scale))) for side, length in zip(size_wh, photo_wh, strict=True))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def to_input(
    pixels: NDArray[np.uint8], size_wh: tuple[int, int], card: ModelCard, kind: InputSpec = COLOUR
) -> NDArray[Any]:
    """Scale the photo to the model's input as the card says, normalise it, and store it as the model does.

    pixels: uint8 (H', W', 3) RGB, 0-255
    size_wh: width and height of the model's input
    returns: a tensor of kind's axes and numbers
    """
    left, top, right, bottom = placement((pixels.shape[1], pixels.shape[0]), size_wh, card.fit)
    small = resize.bilinear(pixels, (right - left, bottom - top))
    if small.shape[:2] != size_wh[::-1]:
        canvas = np.full((size_wh[1], size_wh[0], 3), card.fill, np.uint8)
        canvas[top:bottom, left:right] = small
        small = canvas
    if kind.channels == 1:
        small = (small @ np.array(GREY, np.float32)).round()[..., np.newaxis]
    elif card.order == "BGR":
        small = small[..., ::-1]
    return _arranged(kind.quantize(_normalised(small, card)), kind)


def _normalised(small: NDArray[Any], card: ModelCard) -> NDArray[np.float32]:
    """Take the mean away and divide by the deviation, row by row: NumPy is slow along an axis of three."""
    height, width, channels = small.shape
    values = (np.array(value[:channels], np.float32) for value in (card.mean, card.std))
    mean, std = (np.tile(np.broadcast_to(value, channels), width) for value in values)
    real: NDArray[np.float32] = (small.reshape(height, width * channels) - mean) / std
    return real.reshape(small.shape)


def _arranged(image: NDArray[Any], kind: InputSpec) -> NDArray[Any]:
    """Bring (h, w, C) into the model's axes."""
    if "C" not in kind.axes:
        image = image[..., 0]
    elif kind.axes.index("C") < kind.axes.index("H"):
        image = image.transpose(2, 0, 1)
    return np.ascontiguousarray(image[np.newaxis] if "N" in kind.axes else image)


def to_maps(output: NDArray[Any], kind: OutputSpec, input_wh: tuple[int, int]) -> NDArray[Any]:
    """Bring an output tensor of any axes into (h, w, K), its numbers as they are.

    input_wh: width and height of the input that it answers
    """
    axes = kind.axes.replace("1", "")
    maps = output.reshape([side for axis, side in zip(kind.axes, output.shape, strict=True) if axis != "1"])
    if "F" in axes:
        at = axes.index("F")
        width, height = input_wh if input_wh[0] * input_wh[1] == maps.shape[at] else kind.size_wh
        maps = maps.reshape(*maps.shape[:at], height, width, *maps.shape[at + 1 :])
        axes = axes.replace("F", "HW")
    if "K" not in axes:
        return maps[..., np.newaxis]
    return maps.transpose([axes.index(axis) for axis in "HWK"])


def to_scores(maps: NDArray[Any], card: ModelCard) -> NDArray[Any]:
    """Read a map as the card says.

    maps: float32 (h, w, K); for the activation "ids" class ids (h, w, 1) of any type
    returns: float32 (h, w, K), 0 to 1: of the object alone for K = 1, of each class for more; or, for "ids",
        uint8 (h, w) class ids, those that no label has as the background
    """
    if card.activation == "ids":
        ids = maps[..., 0]
        known = (ids >= 0) & (ids < len(card.labels))
        return np.where(known, ids, card.background or 0).astype(np.uint8)
    if card.activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-maps.clip(-EXPONENT_LIMIT, EXPONENT_LIMIT))))
    if card.activation == "softmax":
        powers = np.exp(maps - maps.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
    return maps
