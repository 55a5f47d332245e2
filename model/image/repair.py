"""Remove metadata from a PNG, JPEG or WebP whose pixels are intact but whose metadata a decoder refuses.

PNG: https://www.w3.org/TR/png-3/#5Chunk-layout, JPEG: ITU-T T.81, annex B,
WebP: https://developers.google.com/speed/webp/docs/riff_container
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Set

PNG_SIGNATURE, JPEG_SIGNATURE = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
PNG_USEFUL = frozenset({b"eXIf", b"iCCP", b"pHYs"})
MAX_CHUNKS = 100_000
WEBP_PIXELS = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
WEBP_METADATA_FLAGS = 0b0010_1100  # of the header VP8X: colour profile, EXIF and XMP
START_OF_IMAGE, END_OF_IMAGE, START_OF_SCAN, COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
EXIF, PROFILE, ADOBE = 0xE1, 0xE2, 0xEE  # of orientation, of colour, and of whether the channels are YCbCr
PREFIXES = {EXIF: b"Exif\0\0", PROFILE: b"ICC_PROFILE\0", ADOBE: b"Adobe"}
SHORTEST = {EXIF: 6, PROFILE: 15, ADOBE: 12}  # in bytes; Pillow refuses shorter ones
JPEG_USEFUL = frozenset({EXIF, PROFILE, ADOBE})
APPLICATION_SEGMENTS = range(0xE0, 0xF0)


def headers_without_metadata(data: bytes) -> Iterator[bytes]:
    """Yield a photo with less and less metadata, which is what to open once a decoder has refused the whole.

    Nothing is decompressed: the cost is that of copying the file.

    Args:
        data: The file, of any format.

    Yields:
        A PNG or JPEG with orientation, colour profile and resolution only, and with orientation only; a WebP with
        pixels only. Nothing for other formats, or if the structure is damaged.
    """
    versions: list[bytes | None] = []
    if data.startswith(PNG_SIGNATURE):
        versions = [strip_png(data, PNG_USEFUL), strip_png(data)]
    elif data.startswith(JPEG_SIGNATURE):
        versions = [_strip_jpeg(data, JPEG_USEFUL), _strip_jpeg(data, {EXIF, ADOBE})]
    elif data[8:12] == b"WEBP":
        versions = [_strip_webp(data)]
    yield from filter(None, versions)


def strip_png(data: bytes, kept: Set[bytes] = frozenset({b"eXIf"})) -> bytes | None:
    """Return a PNG of the chunks of its pixels, and of those of its orientation.

    Args:
        data: The file.
        kept: Names of the other chunks that are kept if they are intact. They come before the pixels.

    Returns:
        The file; None if it is no PNG or its pixels are incomplete.
    """
    if not data.startswith(PNG_SIGNATURE):
        return None
    before: list[bytes] = [data[:8]]
    pixels: list[bytes] = []
    position = 8
    for _ in range(MAX_CHUNKS):
        if position + 12 > len(data):
            break
        length, name = struct.unpack_from(">I4s", data, position)
        chunk = data[position : position + 12 + length]
        position += len(chunk)
        is_whole = len(chunk) == 12 + length
        if name == b"IEND":
            break
        if name in PNG_PIXELS:
            if not is_whole:
                return None
            (pixels if name == b"IDAT" else before).append(chunk)
        elif name in kept and is_whole and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:]):
            before.append(chunk)
    end = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))
    return b"".join([*before, *pixels, end]) if pixels else None


def _strip_webp(data: bytes) -> bytes | None:
    """Return a WebP of the chunks of its pixels; None if they are incomplete."""
    chunks: list[bytes] = []
    position = 12
    for _ in range(MAX_CHUNKS):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if name in WEBP_PIXELS:
            chunk = data[position : position + 8 + size + size % 2]
            if len(chunk) < 8 + size:
                return None
            if name == b"VP8X":
                chunk = chunk[:8] + bytes([chunk[8] & ~WEBP_METADATA_FLAGS]) + chunk[9:]
            chunks.append(chunk)
        position += 8 + size + size % 2
        if position >= len(data):
            break
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _strip_jpeg(data: bytes, kept: Set[int]) -> bytes | None:
    """Return a JPEG without comments and application segments but some; None if its header is damaged."""
    parts = [data[:2]]
    for marker, start, end in jpeg_segments(data):
        if marker == START_OF_SCAN:
            return b"".join([*parts, data[start:]])
        is_metadata = marker == COMMENT or marker in APPLICATION_SEGMENTS
        content = data[start + 4 : end]
        if not is_metadata or (marker in kept and _is_whole(marker, content)):
            parts.append(data[start:end])
    return None


def _is_whole(marker: int, content: bytes) -> bool:
    return content.startswith(PREFIXES[marker]) and len(content) >= SHORTEST[marker]


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, the start and the end of each segment of a JPEG, to the start of the first scan.

    Args:
        data: The file. It ends the iteration where it has no segment.
    """
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        yield marker, position, end
        if marker == START_OF_SCAN:
            return
        position = end
