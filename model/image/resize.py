"""Arrays of pixels to other sizes, by Pillow: fast on 8 bits, and it averages where it shrinks."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Number = TypeVar("Number", np.uint8, np.float32)
Box = tuple[float, float, float, float]


def bilinear(pixels: NDArray[Number], size_wh: tuple[int, int], box: Box | None = None) -> NDArray[Number]:
    """Scale an image; every pixel that shrinks away counts in the result.

    pixels: uint8 (H, W) or (H, W, 3), or float32 (H, W)
    box: the part to scale, left, top, right and bottom in pixels and parts of them; None for all
    returns: an array of the same axes, as wide and high as size_wh
    """
    height, width = pixels.shape[:2]
    if (width, height) == size_wh and box in (None, (0, 0, width, height)):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size_wh, Image.Resampling.BILINEAR, box))
