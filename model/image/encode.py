"""Encode masks as PNG (https://www.w3.org/TR/png-3/), and photos as PNG, WebP or JPEG."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

# zlib levels: higher ones take much longer and save little
MASK_LEVEL = 3
PHOTO_LEVEL = 1
PHOTO_OPTIONS: dict[str, dict[str, Any]] = {  # of Pillow's encoders
    "png": {"compress_level": PHOTO_LEVEL},
    "webp": {"quality": 90, "method": 1},  # higher methods take several times as long
    "jpeg": {"quality": 92},
}
MAX_SIDE = {"webp": 16383, "jpeg": 65500}  # in pixels; PNG has no limit that matters


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
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.data, MASK_LEVEL)), (b"IEND", b"")
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


def photo(
    size_wh: tuple[int, int],
    strips: Iterable[NDArray[np.uint8]],
    file_format: str,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """Encode a photo from strips, so that the caller need not hold all of a large one.

    Args:
        size_wh: Width and height of the image.
        strips: The rows of the image from top to bottom, in parts of uint8 (h, W, 3) RGB, or (h, W, 4) with alpha.
        file_format: "png", "webp" or "jpeg", which has no transparency: the photo is laid on white.
        dpi: Horizontal and vertical resolution in dots per inch; None if unknown.

    Returns:
        The file.
    """
    image, top = None, 0
    for strip in strips:
        part = Image.fromarray(strip)
        if file_format == "jpeg" and part.mode == "RGBA":
            part = Image.alpha_composite(Image.new("RGBA", part.size, "white"), part).convert("RGB")
        image = image or Image.new(part.mode, size_wh)
        image.paste(part, (0, top))
        top += part.height
    assert image is not None  # a photo has at least one row
    options = PHOTO_OPTIONS[file_format] | _resolution(file_format, dpi)
    with io.BytesIO() as file:
        image.save(file, file_format, **options)
        return file.getvalue()


def _resolution(file_format: str, dpi: tuple[float, float] | None) -> dict[str, Any]:
    """Return the options of Pillow's encoder that store a resolution."""
    if dpi is None:
        return {}
    if file_format != "webp":
        return {"dpi": dpi}
    exif = Image.Exif()  # the only place in a WebP
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = dpi
    exif[ExifTags.Base.ResolutionUnit] = 2  # inch
    return {"exif": exif}


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(image: Image.Image, level: int) -> bytes:
    with io.BytesIO() as file:
        image.save(file, "PNG", compress_level=level)
        return file.getvalue()
