"""Small photos that take much memory or time to decode, or whose metadata is deeply nested or inconsistent."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.stress.hostile.case import Case, photo_case
from tests.stress.hostile.photos import FORMATS, build_png, photo_with_header_size, png_chunk, sample_photo
from tests.support.images import encode_image

INFLATED_BYTES = 200 * 2**20  # of a chunk
HEADER_SIZES = (
    (0, 44),
    (60, 0),
    (0, 0),
    (65_535, 65_535),
    (9_999, 9_999),  # less than MAX_PIXELS
    (2**31 - 1, 2**31 - 1),
    (2**32 - 1, 1),
    (1, 2**32 - 1),
)


def bombs() -> Iterator[Case]:
    """Yield each case once."""
    yield from _wrong_headers()
    yield from _many_pixels()
    yield from _extreme_sides()
    yield from _decompression_bombs()
    yield from _many_frames()
    yield from _deep_metadata()
    yield from _inconsistent_tiffs()


def _wrong_headers() -> Iterator[Case]:
    for name in FORMATS:
        for width, height in HEADER_SIZES:
            photo = photo_with_header_size(name, width, height)
            yield photo_case(f"{name} with {width} x {height} in its header", photo)


def _many_pixels() -> Iterator[Case]:
    """Yield photos of 100 million pixels, the default of MAX_PIXELS, in 100 to 400 KB, and larger ones."""
    for colour_type, channels in ((0, 1), (6, 4)):
        photo = blank_png(10_000, 10_000, colour_type, channels)
        yield photo_case(f"PNG of 10000 x 10000, colour type {colour_type}", photo)
    yield Case("PNG of 20000 x 20000", blank_png(20_000, 20_000, 0, 1))
    large: tuple[tuple[str, dict[str, object], int], ...] = (
        ("WEBP", {}, 7_000),
        ("AVIF", {"speed": 10}, 7_000),
        ("JPEG", {"progressive": True, "subsampling": 0}, 10_000),
        ("GIF", {}, 10_000),
    )
    for format, options, side in large:
        photo = encode_image(Image.new("RGB", (side, side), "teal"), format, **options)
        yield photo_case(f"{format} of {side} x {side}", photo)


def blank_png(width: int, height: int, colour_type: int, channels: int) -> bytes:
    """Return a PNG whose pixels are all zero.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        colour_type: 0 greyscale, 2 RGB, 6 RGBA.
        channels: Number of channels of that type.
    """
    compressor = zlib.compressobj(1)
    row = bytes(1 + width * channels)
    data = b"".join([*(compressor.compress(row) for _ in range(height)), compressor.flush()])
    return build_png(width, height, colour_type, png_chunk(b"IDAT", data))


def _extreme_sides() -> Iterator[Case]:
    for name, (format, _) in FORMATS.items():
        for width, height in ((1, 1), (1, 9000), (9000, 1), (1, 2), (3, 20_000), (20_000, 1), (1, 20_000)):
            if format in ("WEBP", "AVIF") and max(width, height) > 16_383:
                continue
            yield photo_case(f"{name} of {width} x {height}", sample_photo(name, width, height))


def _decompression_bombs() -> Iterator[Case]:
    zeros = zlib.compress(bytes(INFLATED_BYTES), 9)
    pixels = png_chunk(b"IDAT", zlib.compress(bytes(44 * 181)))
    for name, bomb in (
        ("IDAT", png_chunk(b"IDAT", zeros)),
        ("iCCP", png_chunk(b"iCCP", b"x\0\0" + zeros)),
        ("zTXt", png_chunk(b"zTXt", b"x\0\0" + zeros)),
        ("iTXt", png_chunk(b"iTXt", b"x\0\1\0\0\0" + zeros)),
        ("100 zTXt", png_chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(2**20 - 9), 9)) * 100),
        ("10000 tEXt", png_chunk(b"tEXt", b"x\0y") * 10_000),
        ("300000 empty", png_chunk(b"teSt", b"") * 300_000),
        ("acTL", png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
        ("eXIf", png_chunk(b"eXIf", b"MM\0*" + b"\xff" * 100_000)),
    ):
        yield photo_case(f"PNG with a bomb in {name}, before the pixels", build_png(60, 44, 2, bomb, pixels))
        yield photo_case(f"PNG with a bomb in {name}, after the pixels", build_png(60, 44, 2, pixels, bomb))


def _many_frames() -> Iterator[Case]:
    gif = sample_photo("GIF", 16, 16)
    start = 13 + 3 * 2 ** ((gif[10] & 7) + 1) if gif[10] & 128 else 13  # after the global colour table
    head, frame = gif[:start], gif[start:-1]
    for count in (5_000, 50_000):
        yield photo_case(f"GIF of {count} frames", head + frame * count + b";")
    yield photo_case("GIF of 200000 comments", head + b"!\xfe\x01x\0" * 200_000 + frame + b";")
    images = [Image.new("RGB", (64, 64), (i, i, i)) for i in range(200)]
    for format in ("WEBP", "TIFF", "PNG"):
        photo = encode_image(images[0], format, save_all=True, append_images=images[1:])
        yield photo_case(f"{format} of 200 frames", photo)


def _deep_metadata() -> Iterator[Case]:
    photo = sample_photo("JPEG")
    for name, marker, data in (
        ("with random bytes as EXIF", 0xE1, b"Exif\0\0MM\0*" + bytes(range(250)) * 250),
        ("whose EXIF refers to itself", 0xE1, b"Exif\0\0" + _ifd([(0x8769, 4, 1, 8), (0x8825, 4, 1, 8)], 8)),
        ("whose EXIF has 65535 entries", 0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\0\1\4\0\1\0\0\0" * 8000),
        ("whose EXIF has a count of 4 billion", 0xE1, b"Exif\0\0" + _ifd([(0x0112, 3, 2**32 - 1, 8)], 0)),
        ("whose orientation is 9", 0xE1, b"Exif\0\0" + _ifd([(0x0112, 3, 1, 9)], 0)),
        ("whose orientation is a string", 0xE1, b"Exif\0\0" + _ifd([(0x0112, 2, 4, 0x363636)], 0)),
        ("with XMP of 60 KB", 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<a>" * 20_000),
        ("with a false multi-picture index", 0xE2, b"MPF\0" + _ifd([(0xB001, 4, 1, 2**31), (0xB002, 7, 2**31, 8)], 0)),
        ("with a truncated Adobe marker", 0xEE, b"Adobe"),
        ("with a Photoshop block that exceeds its segment", 0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\xff\xff\xff\xff"),
    ):
        yield photo_case(f"JPEG {name}", photo[:2] + _segment(marker, data) + photo[2:])
    for count in (255, 2_000):
        parts = [
            _segment(0xE2, b"ICC_PROFILE\0" + bytes([i % 255 + 1, 255]) + bytes(60_000)) for i in range(count // 8)
        ]
        yield photo_case(f"JPEG with {len(parts)} ICC profile segments", photo[:2] + b"".join(parts) + photo[2:])
    yield photo_case("JPEG with 20000 comments", photo[:2] + _segment(0xFE, b"hello") * 20_000 + photo[2:])


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def _ifd(entries: list[tuple[int, int, int, int]], following: int) -> bytes:
    """Return the start of a TIFF with one directory.

    Args:
        entries: Tag, type, count and value of each entry.
        following: Offset of the next directory; 0 for none.
    """
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + rows + struct.pack("<I", following)


def _inconsistent_tiffs() -> Iterator[Case]:
    valid_tags = {256: 60, 257: 44, 258: 8, 259: 1, 262: 1, 273: 300, 277: 1, 278: 44, 279: 60 * 44}
    for name, changes in (
        ("whose next directory is itself", {}),
        ("with strips beyond its end", {273: 2**31}),
        ("with strips of 4 GB", {279: 2**32 - 1}),
        ("with 65535 samples a pixel", {277: 65_535}),
        ("with 64 bits a sample", {258: 64}),
        ("with 0 bits a sample", {258: 0}),
        ("with 0 rows a strip", {278: 0}),
        ("with tiles of 0 x 0", {322: 0, 323: 0, 324: 300, 325: 10}),
        ("with tiles of 1 x 1", {322: 1, 323: 1, 324: 300, 325: 1}),
        ("with tiles of 2 billion", {322: 2**31 - 16, 323: 2**31 - 16, 324: 300, 325: 10}),
        *((f"of compression {number}", {259: number}) for number in (2, 3, 4, 5, 6, 7, 8, 32773, 34712, 50000, 65000)),
        *((f"of photometric {number}", {262: number}) for number in (0, 2, 3, 4, 5, 6, 8, 32803, 65535)),
    ):
        entries = [(tag, 4, 1, value) for tag, value in sorted({**valid_tags, **changes}.items())]
        following = 8 if "itself" in name else 0
        yield photo_case(f"TIFF {name}", _ifd(entries, following).ljust(300, b"\0") + bytes(60 * 44))
    for count in (0, 1, 2**16, 2**32 - 1):
        entries = [(256, 4, 1, 60), (257, 4, 1, 44), (258, 3, count, 8), (273, 4, count, 8), (279, 4, count, 8)]
        yield photo_case(f"TIFF of {count} strips", _ifd(entries, 0) + bytes(3000))
