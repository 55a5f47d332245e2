"""Photos of few bytes that ask for much: memory, time, or depth."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from .case import Case, of_photo
from .photos import FORMATS, chunk, claiming, good, png

MUCH = 200 * 2**20  # bytes that a chunk unfolds to
SIZES = (
    (0, 44),
    (60, 0),
    (0, 0),
    (65_535, 65_535),
    (9_999, 9_999),  # within MAX_PIXELS
    (2**31 - 1, 2**31 - 1),
    (2**32 - 1, 1),
    (1, 2**32 - 1),
)


def bombs() -> Iterator[Case]:
    """Give each of them once."""
    yield from _lying_headers()
    yield from _many_pixels()
    yield from _odd_sides()
    yield from _unfolding_chunks()
    yield from _many_frames()
    yield from _deep_metadata()
    yield from _odd_tiffs()


def _lying_headers() -> Iterator[Case]:
    for name in FORMATS:
        for width, height in SIZES:
            photo = claiming(name, width, height)
            yield of_photo(f"{name} that claims {width} x {height}", photo)


def _many_pixels() -> Iterator[Case]:
    """A hundred million pixels, as many as are allowed, in 100 to 400 KB; and some more."""
    for colour, channels in ((0, 1), (6, 4)):
        yield of_photo(f"PNG of 10000 x 10000, colour {colour}", plain_png(10_000, 10_000, colour, channels))
    yield Case("PNG of 20000 x 20000", plain_png(20_000, 20_000, 0, 1))
    for kind, options, side in (
        ("WEBP", {}, 7_000),
        ("AVIF", {"speed": 10}, 7_000),
        ("JPEG", {"progressive": True, "subsampling": 0}, 10_000),
        ("GIF", {}, 10_000),
    ):
        with io.BytesIO() as file:
            Image.new("RGB", (side, side), "teal").save(file, kind, **options)
            yield of_photo(f"{kind} of {side} x {side}", file.getvalue())


def plain_png(width: int, height: int, colour: int, channels: int) -> bytes:
    """Make a PNG of zeros."""
    packer = zlib.compressobj(1)
    row = bytes(1 + width * channels)
    data = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    return png(width, height, colour, chunk(b"IDAT", data))


def _odd_sides() -> Iterator[Case]:
    for name, (kind, _) in FORMATS.items():
        for width, height in ((1, 1), (1, 9000), (9000, 1), (1, 2), (3, 20_000), (20_000, 1), (1, 20_000)):
            if kind in ("WEBP", "AVIF") and max(width, height) > 16_383:
                continue
            yield of_photo(f"{name} of {width} x {height}", good(name, width, height))


def _unfolding_chunks() -> Iterator[Case]:
    zeros = zlib.compress(bytes(MUCH), 9)
    pixels = chunk(b"IDAT", zlib.compress(bytes(44 * 181)))
    for name, bomb in (
        ("IDAT", chunk(b"IDAT", zeros)),
        ("iCCP", chunk(b"iCCP", b"x\0\0" + zeros)),
        ("zTXt", chunk(b"zTXt", b"x\0\0" + zeros)),
        ("iTXt", chunk(b"iTXt", b"x\0\1\0\0\0" + zeros)),
        ("100 zTXt", chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(2**20 - 9), 9)) * 100),
        ("10000 tEXt", chunk(b"tEXt", b"x\0y") * 10_000),
        ("300000 empty", chunk(b"teSt", b"") * 300_000),
        ("acTL", chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
        ("eXIf", chunk(b"eXIf", b"MM\0*" + b"\xff" * 100_000)),
    ):
        yield of_photo(f"PNG whose {name} chunk is a bomb, before the pixels", png(60, 44, 2, bomb, pixels))
        yield of_photo(f"PNG whose {name} chunk is a bomb, after the pixels", png(60, 44, 2, pixels, bomb))


def _many_frames() -> Iterator[Case]:
    one = good("GIF", 16, 16)
    start = 13 + 3 * 2 ** ((one[10] & 7) + 1) if one[10] & 128 else 13
    head, frame = one[:start], one[start:-1]
    for count in (5_000, 50_000):
        yield of_photo(f"GIF of {count} frames", head + frame * count + b";")
    yield of_photo("GIF of 200000 comments", head + b"!\xfe\x01x\0" * 200_000 + frame + b";")
    images = [Image.new("RGB", (64, 64), (i, i, i)) for i in range(200)]
    for kind in ("WEBP", "TIFF", "PNG"):
        with io.BytesIO() as file:
            images[0].save(file, kind, save_all=True, append_images=images[1:])
            yield of_photo(f"{kind} of 200 frames", file.getvalue())


def _deep_metadata() -> Iterator[Case]:
    photo = good("JPEG")
    for name, marker, data in (
        ("of random bytes as EXIF", 0xE1, b"Exif\0\0MM\0*" + bytes(range(250)) * 250),
        ("whose EXIF points at itself", 0xE1, b"Exif\0\0" + _ifd([(0x8769, 4, 1, 8), (0x8825, 4, 1, 8)], 8)),
        ("whose EXIF has 65535 entries", 0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\0\1\4\0\1\0\0\0" * 8000),
        ("whose EXIF counts to 4 billion", 0xE1, b"Exif\0\0" + _ifd([(0x0112, 3, 2**32 - 1, 8)], 0)),
        ("whose orientation is 9", 0xE1, b"Exif\0\0" + _ifd([(0x0112, 3, 1, 9)], 0)),
        ("whose orientation is a text", 0xE1, b"Exif\0\0" + _ifd([(0x0112, 2, 4, 0x363636)], 0)),
        ("with XMP of 60 KB", 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<a>" * 20_000),
        ("of several pictures, it says", 0xE2, b"MPF\0" + _ifd([(0xB001, 4, 1, 2**31), (0xB002, 7, 2**31, 8)], 0)),
        ("with Adobe's marker cut short", 0xEE, b"Adobe"),
        ("with a Photoshop block that runs over", 0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\xff\xff\xff\xff"),
    ):
        yield of_photo(f"JPEG {name}", photo[:2] + _segment(marker, data) + photo[2:])
    for count in (255, 2_000):
        parts = [
            _segment(0xE2, b"ICC_PROFILE\0" + bytes([i % 255 + 1, 255]) + bytes(60_000)) for i in range(count // 8)
        ]
        yield of_photo(f"JPEG with {len(parts)} pieces of ICC profile", photo[:2] + b"".join(parts) + photo[2:])
    yield of_photo("JPEG with 20000 comments", photo[:2] + _segment(0xFE, b"hello") * 20_000 + photo[2:])


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def _ifd(entries: list[tuple[int, int, int, int]], following: int) -> bytes:
    """Make the head of a TIFF with one directory.

    entries: tag, type, count and value of each
    """
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + rows + struct.pack("<I", following)


def _odd_tiffs() -> Iterator[Case]:
    plain = {256: 60, 257: 44, 258: 8, 259: 1, 262: 1, 273: 300, 277: 1, 278: 44, 279: 60 * 44}
    for name, changes in (
        ("whose next directory is itself", {}),
        ("with strips beyond its end", {273: 2**31}),
        ("with strips of 4 GB", {279: 2**32 - 1}),
        ("with 65535 samples a pixel", {277: 65_535}),
        ("with 64 bits a sample", {258: 64}),
        ("with no bits a sample", {258: 0}),
        ("with no rows a strip", {278: 0}),
        ("with tiles of no size", {322: 0, 323: 0, 324: 300, 325: 10}),
        ("with tiles of 1 x 1", {322: 1, 323: 1, 324: 300, 325: 1}),
        ("with tiles of 2 billion", {322: 2**31 - 16, 323: 2**31 - 16, 324: 300, 325: 10}),
        *((f"of compression {number}", {259: number}) for number in (2, 3, 4, 5, 6, 7, 8, 32773, 34712, 50000, 65000)),
        *((f"of photometric {number}", {262: number}) for number in (0, 2, 3, 4, 5, 6, 8, 32803, 65535)),
    ):
        entries = [(tag, 4, 1, value) for tag, value in sorted({**plain, **changes}.items())]
        following = 8 if "itself" in name else 0
        yield of_photo(f"TIFF {name}", _ifd(entries, following).ljust(300, b"\0") + bytes(60 * 44))
    for count in (0, 1, 2**16, 2**32 - 1):
        entries = [(256, 4, 1, 60), (257, 4, 1, 44), (258, 3, count, 8), (273, 4, count, 8), (279, 4, count, 8)]
        yield of_photo(f"TIFF of {count} strips", _ifd(entries, 0) + bytes(3000))
