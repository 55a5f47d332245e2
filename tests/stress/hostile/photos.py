"""A valid photo in each format, and copies with another size in the header."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from tests.support.images import encode_image

FORMATS: dict[str, tuple[str, dict[str, object]]] = {
    "JPEG": ("JPEG", {}),
    "progressive JPEG": ("JPEG", {"progressive": True}),
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {}),
    "lossless WebP": ("WEBP", {"lossless": True}),
    "GIF": ("GIF", {}),
    "BMP": ("BMP", {}),
    "TIFF": ("TIFF", {}),
    "deflated TIFF": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "AVIF": ("AVIF", {}),
}


@cache
def sample_photo(name: str, width: int = 60, height: int = 44) -> bytes:
    """Return a photo of noise on a gradient.

    Args:
        name: One of FORMATS.
        width: Width in pixels.
        height: Height in pixels.
    """
    rng = np.random.default_rng(len(name))
    gradient = np.linspace(0, 200, width)[None, :, None]
    pixels = gradient + rng.integers(0, 56, (height, width, 3))
    format, options = FORMATS[name]
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 1, "camera"
    if format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        options = {**options, "exif": exif, "icc_profile": b"no profile" * 9}
    return encode_image(Image.fromarray(pixels.astype(np.uint8)), format, **options)


def photo_with_header_size(name: str, width: int, height: int) -> bytes:
    """Return a valid photo whose header has been changed to another size.

    Args:
        name: One of FORMATS.
        width: Width in the header, truncated to the bits of the field.
        height: Height in the header, truncated to the bits of the field.
    """
    return HEADER_WRITERS[FORMATS[name][0]](bytearray(sample_photo(name)), width, height)


def png_chunk(type: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + type + data + struct.pack(">I", zlib.crc32(type + data))


def build_png(width: int, height: int, colour_type: int, *chunks: bytes) -> bytes:
    """Return a PNG with 8 bits a channel.

    Args:
        width: Width in the header.
        height: Height in the header.
        colour_type: 0 greyscale, 2 RGB, 3 palette, 6 RGBA.
        chunks: The chunks between IHDR and IEND.
    """
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0))
    return b"".join([b"\x89PNG\r\n\x1a\n", header, *chunks, png_chunk(b"IEND", b"")])


def _write_jpeg_size(data: bytearray, width: int, height: int) -> bytes:
    offset = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[offset + 5 : offset + 9] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
    return bytes(data)


def _write_png_size(data: bytearray, width: int, height: int) -> bytes:
    header = struct.pack(">II", width, height) + bytes(data[24:29])
    return bytes(data[:8]) + png_chunk(b"IHDR", header) + bytes(data[33:])


def _write_webp_size(data: bytearray, width: int, height: int) -> bytes:
    offset = data.find(b"VP8X")
    data[offset + 12 : offset + 15] = (width - 1 & 0xFFFFFF).to_bytes(3, "little")
    data[offset + 15 : offset + 18] = (height - 1 & 0xFFFFFF).to_bytes(3, "little")
    lossy, lossless = data.find(b"VP8 "), data.find(b"VP8L")
    if lossy > 0:
        data[lossy + 14 : lossy + 18] = struct.pack("<HH", width & 0x3FFF, height & 0x3FFF)
    else:
        bits = (width - 1 & 0x3FFF) | (height - 1 & 0x3FFF) << 14
        data[lossless + 9 : lossless + 13] = struct.pack("<I", bits)
    return bytes(data)


def _write_gif_size(data: bytearray, width: int, height: int) -> bytes:
    data[6:10] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
    offset = data.find(b",", 13 + 3 * 256)
    data[offset + 5 : offset + 9] = data[6:10]
    return bytes(data)


def _write_bmp_size(data: bytearray, width: int, height: int) -> bytes:
    data[18:26] = struct.pack("<II", width, height)
    return bytes(data)


def _write_tiff_size(data: bytearray, width: int, height: int) -> bytes:
    start = int.from_bytes(data[4:8], "little")
    for entry in range(int.from_bytes(data[start : start + 2], "little")):
        offset = start + 2 + 12 * entry
        tag = int.from_bytes(data[offset : offset + 2], "little")
        if tag in (256, 257):
            data[offset + 2 : offset + 12] = struct.pack("<HII", 4, 1, width if tag == 256 else height)
    return bytes(data)


def _write_avif_size(data: bytearray, width: int, height: int) -> bytes:
    offset = data.find(b"ispe")
    data[offset + 8 : offset + 16] = struct.pack(">II", width, height)
    return bytes(data)


HEADER_WRITERS: dict[str, Callable[[bytearray, int, int], bytes]] = {
    "JPEG": _write_jpeg_size,
    "PNG": _write_png_size,
    "WEBP": _write_webp_size,
    "GIF": _write_gif_size,
    "BMP": _write_bmp_size,
    "TIFF": _write_tiff_size,
    "AVIF": _write_avif_size,
}
