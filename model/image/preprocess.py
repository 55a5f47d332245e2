"""Convert a decoded photo to the model's input tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.image import resize
from model.tflite.card import ModelCard
from model.tflite.tensor_specs import InputSpec

LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue in grey: ITU-R BT.601, as Pillow's "L"
FLOAT_RGB = InputSpec("NHWC", (1, -1, -1, 3), 3)

PixelBox = tuple[int, int, int, int]  # left, top, right, bottom


def photo_box(photo_wh: tuple[int, int], input_wh: tuple[int, int], fit: str) -> PixelBox:
    """Return the part of the model's input that the photo fills.

    Args:
        photo_wh: Width and height of the photo.
        input_wh: Width and height of the model's input.
        fit: "stretch" for all of the input, or "letterbox" for the largest centred part of the photo's proportions.

    Returns:
        The part, in pixels of the input.
    """
    width, height = input_wh
    if fit == "stretch":
        return 0, 0, width, height
    scale = min(width / photo_wh[0], height / photo_wh[1])
    box_width, box_height = (
        max(1, min(side, round(length * scale))) for side, length in zip(input_wh, photo_wh, strict=True)
    )
    left, top = (width - box_width) // 2, (height - box_height) // 2
    return left, top, left + box_width, top + box_height


def to_input(
    pixels: NDArray[np.uint8], input_wh: tuple[int, int], card: ModelCard, spec: InputSpec = FLOAT_RGB
) -> NDArray[Any]:
    """Resize, normalize and quantize a photo.

    Args:
        pixels: uint8 (H', W', 3) RGB, 0-255.
        input_wh: Width and height of the model's input.
        card: How to fit and normalize the photo.
        spec: The tensor's axes, channels and dtype.

    Returns:
        The input tensor, of the spec's axes and dtype.
    """
    small = fit(pixels, input_wh, card)
    if spec.channels == 1:
        small = (small @ np.array(LUMA, np.float32)).round().astype(np.uint8)[..., np.newaxis]
    elif card.order == "BGR":
        small = small[..., ::-1]
    return _arrange(_look_up(input_table(card, spec), small), spec)


def fit(pixels: NDArray[np.uint8], input_wh: tuple[int, int], card: ModelCard) -> NDArray[np.uint8]:
    """Resize a photo to (h, w, 3), between bars of the card's fill colour where the card says so."""
    left, top, right, bottom = photo_box((pixels.shape[1], pixels.shape[0]), input_wh, card.fit)
    small = resize.bilinear(pixels, (right - left, bottom - top))
    if small.shape[:2] == input_wh[::-1]:
        return small
    canvas = np.full((input_wh[1], input_wh[0], 3), card.fill, np.uint8)
    canvas[top:bottom, left:right] = small
    return canvas


def input_table(card: ModelCard, spec: InputSpec) -> NDArray[Any]:
    """Return what each pixel value becomes in the model's input, normalized and quantized.

    Args:
        card: How to normalize: (value - mean) / std.
        spec: The tensor's channels, dtype and quantization.

    Returns:
        (channels, 256), of the tensor's dtype.
    """
    mean, std = (np.array(value[: spec.channels], np.float32)[:, np.newaxis] for value in (card.mean, card.std))
    real = (np.arange(256, dtype=np.uint8) - mean) / std
    return spec.quantize(np.broadcast_to(real, (spec.channels, 256)))


def _look_up(table: NDArray[Any], image: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the entries of a table, (C, 256), for an image, (h, w, C): each channel has a row of the table.

    It works on whole rows of the image: NumPy is slow along an axis of three.
    """
    height, width, channels = image.shape
    row_starts = np.tile(np.arange(0, table.size, 256, dtype=np.uint16), width)
    return table.ravel().take(image.reshape(height, width * channels) + row_starts).reshape(image.shape)


def _arrange(image: NDArray[Any], spec: InputSpec) -> NDArray[Any]:
    """Rearrange (h, w, C) to the axes of the model's input."""
    if "C" not in spec.axes:
        image = image[..., 0]
    elif spec.axes.index("C") < spec.axes.index("H"):
        image = image.transpose(2, 0, 1)
    return np.ascontiguousarray(image[np.newaxis] if "N" in spec.axes else image)
