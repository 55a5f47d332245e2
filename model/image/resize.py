"""Resize arrays of pixels with Pillow's bilinear filter, which averages all source pixels when it shrinks."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PixelType = TypeVar("PixelType", np.uint8, np.float32)
Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels and fractions of them


def bilinear(pixels: NDArray[PixelType], size_wh: tuple[int, int], box: Box | None = None) -> NDArray[PixelType]:
    """Resize an image.

    Args:
        pixels: uint8 (H, W), (H, W, 3) or, with alpha, (H, W, 4), or float32 (H, W).
        size_wh: Width and height of the result.
        box: The part of the image to resize; None for all of it.

    Returns:
        An array of the same dtype and axes. It is `pixels` itself if there is nothing to do.
    """
    height, width = pixels.shape[:2]
    if (width, height) == size_wh and box in (None, (0, 0, width, height)):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size_wh, Image.Resampling.BILINEAR, box))
