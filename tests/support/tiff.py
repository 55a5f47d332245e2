"""TIFF files of any layout, which Pillow does not write (TIFF 6.0, Aldus 1992)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SHORT, LONG, RATIONAL = 3, 4, 5
CODES = {SHORT: "H", LONG: "I"}
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_SIZES, PLANAR, SAMPLE_FORMAT = 273, 277, 278, 279, 284, 339
NEW_SUBFILE_TYPE, SUBFILE_TYPE, EXTRA_SAMPLES, COLOR_MAP, FILL_ORDER = 254, 255, 338, 320, 266

Tags = dict[int, int | Fraction | Sequence[int]]


def page(
    pixels: NDArray[np.generic], photometric: int, *, order: Literal["<", ">"] = "<", planar: bool = False
) -> tuple[Tags, list[bytes]]:
    """Return the tags and strips of an uncompressed page.

    Args:
        pixels: (H, W) or (H, W, samples), of any dtype.
        photometric: PhotometricInterpretation.
        order: "<" for little-endian, ">" for big-endian.
        planar: Whether each channel has a strip of its own.
    """
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    data = pixels.astype(pixels.dtype.newbyteorder(order))
    strips = [data[..., i].tobytes() for i in range(samples)] if planar else [data.tobytes()]
    formats = {"u": 1, "i": 2, "f": 3}
    tags: Tags = {
        WIDTH: pixels.shape[1],
        HEIGHT: pixels.shape[0],
        BITS: [pixels.dtype.itemsize * 8] * samples,
        COMPRESSION: 1,
        PHOTOMETRIC: photometric,
        SAMPLES: samples,
        ROWS_PER_STRIP: pixels.shape[0],
        PLANAR: 2 if planar else 1,
        SAMPLE_FORMAT: [formats[pixels.dtype.kind]] * samples,
    }
    return tags, strips


def tiff(*pages: tuple[Tags, list[bytes]], order: str = "<") -> bytes:
    """Return a file of some pages.

    Args:
        pages: The tags and the strips of each.
        order: "<" for little-endian, ">" for big-endian.
    """
    file = bytearray(b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0)
    link = 4  # where the offset of the next directory belongs
    for tags, strips in pages:
        offsets = []
        for strip in strips:
            offsets.append(len(file))
            file += strip + bytes(len(strip) % 2)
        entries = {**tags, STRIP_OFFSETS: offsets, STRIP_SIZES: [len(strip) for strip in strips]}
        file[link : link + 4] = struct.pack(order + "I", len(file))
        directory = len(file)
        file += struct.pack(order + "H", len(entries)) + bytes(12 * len(entries) + 4)
        link = len(file) - 4
        for i, tag in enumerate(sorted(entries)):
            type_code, count, value = _values(entries[tag], order)
            if len(value) > 4:
                value, offset = struct.pack(order + "I", len(file)), value
                file += offset + bytes(len(offset) % 2)
            entry = struct.pack(order + "HHI", tag, type_code, count) + value.ljust(4, b"\0")
            file[directory + 2 + 12 * i : directory + 14 + 12 * i] = entry
    return bytes(file)


def _values(value: int | Fraction | Sequence[int], order: str) -> tuple[int, int, bytes]:
    """Return the type, the count and the bytes of a tag's value."""
    if isinstance(value, Fraction):
        return RATIONAL, 1, struct.pack(order + "II", value.numerator, value.denominator)
    numbers = [value] if isinstance(value, int) else list(value)
    type_code = LONG if max(numbers, default=0) > 65535 else SHORT
    return type_code, len(numbers), struct.pack(f"{order}{len(numbers)}{CODES[type_code]}", *numbers)
