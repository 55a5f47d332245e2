"""Arrays of pixels to other sizes, by Pillow: fast on 8 bits, and it averages where it shrinks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def bilinear(pixels: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale an image; every pixel that shrinks away counts in the result.

    pixels: uint8 (H, W) or (H, W, 3)
    returns: uint8 of the same axes, as wide and high as size_wh
    """
    height, width = pixels.shape[:2]
    if (width, height) == size_wh:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size_wh, Image.Resampling.BILINEAR))
