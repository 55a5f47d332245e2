"""A good photo in each format, and other sizes claimed in its header."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

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
def good(name: str, width: int = 60, height: int = 44) -> bytes:
    """Make a photo of noise on a gradient in one of FORMATS."""
    random = np.random.default_rng(len(name))
    across = np.linspace(0, 200, width)[None, :, None]
    pixels = across + random.integers(0, 56, (height, width, 3))
    kind, options = FORMATS[name]
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 1, "nobody"
    if kind in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        options = {**options, "exif": exif, "icc_profile": b"no profile" * 9}
    with io.BytesIO() as file:
        Image.fromarray(pixels.astype(np.uint8)).save(file, kind, **options)
        return file.getvalue()


def claiming(name: str, width: int, height: int) -> bytes:
    """Write another size into the header of a good photo, and nothing else; as much of it as the format's bits hold."""
    photo = good(name)
    return CLAIMS[FORMATS[name][0]](bytearray(photo), width, height)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Make a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, colour: int, *chunks: bytes) -> bytes:
    """Make a PNG of 8 bits of its header and any chunks.

    colour: 0 grey, 2 RGB, 3 palette, 6 RGBA
    """
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    return b"".join([b"\x89PNG\r\n\x1a\n", header, *chunks, chunk(b"IEND", b"")])


def _jpeg(data: bytearray, width: int, height: int) -> bytes:
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[at + 5 : at + 9] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
    return bytes(data)


def _png(data: bytearray, width: int, height: int) -> bytes:
    header = struct.pack(">II", width, height) + bytes(data[24:29])
    return bytes(data[:8]) + chunk(b"IHDR", header) + bytes(data[33:])


def _webp(data: bytearray, width: int, height: int) -> bytes:
    at = data.find(b"VP8X")
    data[at + 12 : at + 15] = (width - 1 & 0xFFFFFF).to_bytes(3, "little")
    data[at + 15 : at + 18] = (height - 1 & 0xFFFFFF).to_bytes(3, "little")
    lossy, lossless = data.find(b"VP8 "), data.find(b"VP8L")
    if lossy > 0:
        data[lossy + 14 : lossy + 18] = struct.pack("<HH", width & 0x3FFF, height & 0x3FFF)
    else:
        bits = (width - 1 & 0x3FFF) | (height - 1 & 0x3FFF) << 14
        data[lossless + 9 : lossless + 13] = struct.pack("<I", bits)
    return bytes(data)


def _gif(data: bytearray, width: int, height: int) -> bytes:
    data[6:10] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
    at = data.find(b",", 13 + 3 * 256)
    data[at + 5 : at + 9] = data[6:10]
    return bytes(data)


def _bmp(data: bytearray, width: int, height: int) -> bytes:
    data[18:26] = struct.pack("<II", width, height)
    return bytes(data)


def _tiff(data: bytearray, width: int, height: int) -> bytes:
    start = int.from_bytes(data[4:8], "little")
    for entry in range(int.from_bytes(data[start : start + 2], "little")):
        at = start + 2 + 12 * entry
        tag = int.from_bytes(data[at : at + 2], "little")
        if tag in (256, 257):
            data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, width if tag == 256 else height)
    return bytes(data)


def _avif(data: bytearray, width: int, height: int) -> bytes:
    at = data.find(b"ispe")
    data[at + 8 : at + 16] = struct.pack(">II", width, height)
    return bytes(data)


CLAIMS: dict[str, Callable[[bytearray, int, int], bytes]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "GIF": _gif,
    "BMP": _bmp,
    "TIFF": _tiff,
    "AVIF": _avif,
}
