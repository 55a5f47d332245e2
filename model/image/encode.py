"""Encode pixels as PNG (https://www.w3.org/TR/png-3/)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# zlib levels: higher ones take much longer and save little
MASK_LEVEL = 3
PHOTO_LEVEL = 1


def binary_png(packed: NDArray[np.uint8], width: int) -> bytes:
    """Encode a 1-bit PNG, white where a bit is set.

    Pillow takes five times as long to pack and filter the bits of a large mask.

    Args:
        packed: uint8 (H, width / 8 rounded up), the first pixel in the most significant bit.
        width: Width of the image in pixels.

    Returns:
        The PNG file.
    """
    height, row_bytes = packed.shape
    rows = np.zeros((height, 1 + row_bytes), np.uint8)  # each row begins with its filter type; 0 is none
    rows[:, 1:] = packed
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)  # 1 bit, greyscale, not interlaced
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), MASK_LEVEL)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def palette_png(ids: NDArray[np.uint8], palette: tuple[tuple[int, int, int], ...]) -> bytes:
    """Encode a palette PNG, whose pixel values are the class ids.

    Args:
        ids: uint8 (H, W) class ids.
        palette: The colour of each class, RGB 0-255.

    Returns:
        The PNG file.
    """
    image = Image.fromarray(ids, "L")
    image.putpalette([value for colour in palette for value in colour])
    return _png(image, MASK_LEVEL)


def grey_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode uint8 (H, W) as an 8-bit greyscale PNG."""
    return _png(Image.fromarray(pixels), MASK_LEVEL)


def rgb_png(size_wh: tuple[int, int], strips: Iterable[NDArray[np.uint8]]) -> bytes:
    """Encode an RGB PNG from strips, so that the caller need not hold all of a large image.

    Args:
        size_wh: Width and height of the image.
        strips: The rows of the image from top to bottom, in parts of uint8 (h, W, 3).

    Returns:
        The PNG file.
    """
    image, top = Image.new("RGB", size_wh), 0
    for strip in strips:
        image.paste(Image.fromarray(strip), (0, top))
        top += len(strip)
    return _png(image, PHOTO_LEVEL)


def rgba_png(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> bytes:
    """Encode an RGBA PNG.

    Args:
        pixels: uint8 (H, W, 3) RGB.
        alpha: uint8 (H, W), from 0, transparent, to 255, opaque.

    Returns:
        The PNG file.
    """
    return _png(Image.fromarray(np.dstack([pixels, alpha])), PHOTO_LEVEL)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(image: Image.Image, level: int) -> bytes:
    with io.BytesIO() as file:
        image.save(file, "PNG", compress_level=level)
        return file.getvalue()
