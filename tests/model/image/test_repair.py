"""Metadata that is damaged, or larger than a decoder accepts, never refuses the pixels."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from model.errors import BrokenPhoto
from model.image import decode as image_decode
from tests.support import tiff
from tests.support.images import encode_image

PIXELS = np.random.default_rng(4).integers(0, 256, (24, 32, 3), np.uint8)


def decode(data: bytes) -> image_decode.DecodedPhoto:
    return image_decode.decode(data, None, 10**6)


def png_chunk(name: bytes, content: bytes, crc: int | None = None, length: int | None = None) -> bytes:
    crc = zlib.crc32(name + content) if crc is None else crc
    return struct.pack(">I", len(content) if length is None else length) + name + content + struct.pack(">I", crc)


def png_with(chunk: bytes, *, after_pixels: bool = False, **options: object) -> bytes:
    """Return a PNG with one more chunk, before or after its pixels."""
    data = encode_image(Image.fromarray(PIXELS), "PNG", **options)
    position = data.index(b"IEND") - 4 if after_pixels else 33  # 8 of the signature, 25 of IHDR
    return data[:position] + chunk + data[position:]


LONG_TEXT = zlib.compress(b"workflow " * 300_000)
CHUNKS = {
    "2 MB of compressed text": png_chunk(b"zTXt", b"prompt\0\0" + LONG_TEXT),
    "2 MB of compressed international text": png_chunk(b"iTXt", b"workflow\0\1\0\0\0" + LONG_TEXT),
    "many texts": b"".join(png_chunk(b"tEXt", b"k%d\0" % i + b"x" * 2_000_000) for i in range(34)),
    "a text with a wrong checksum": png_chunk(b"tEXt", b"Comment\0hello", crc=1),
    "a text of an unknown compression": png_chunk(b"zTXt", b"prompt\0\7" + LONG_TEXT),
    "a profile larger than a decoder accepts": png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(3_000_000))),
    "a profile of an unknown compression": png_chunk(b"iCCP", b"p\0\7abc"),
    "an empty profile": png_chunk(b"iCCP", b""),
    "a truncated resolution": png_chunk(b"pHYs", b"\0\0"),
    "a truncated gamma": png_chunk(b"gAMA", b"\0"),
    "truncated chromaticities": png_chunk(b"cHRM", b"\0"),
    "an empty rendering intent": png_chunk(b"sRGB", b""),
    "a truncated animation": png_chunk(b"acTL", b"\0\0"),
    "an animation in disorder": png_chunk(b"acTL", struct.pack(">II", 2, 0)) + png_chunk(b"fcTL", b"\1" * 26),
    "EXIF data with a wrong checksum": png_chunk(b"eXIf", b"II*\0", crc=1),
}


@pytest.mark.parametrize("after_pixels", [False, True])
@pytest.mark.parametrize("name", CHUNKS)
def test_the_pixels_of_a_png_are_decoded_whatever_its_metadata(name: str, after_pixels: bool) -> None:
    assert (decode(png_with(CHUNKS[name], after_pixels=after_pixels)).pixels == PIXELS).all()


def test_a_chunk_that_reaches_beyond_the_file_does_not_matter_after_the_pixels() -> None:
    data = encode_image(Image.fromarray(PIXELS), "PNG")
    end = data.index(b"IEND") - 4
    assert (decode(data[:end] + png_chunk(b"tEXt", b"k\0v", length=10**6)).pixels == PIXELS).all()


@pytest.mark.parametrize("name", ["2 MB of compressed text", "an empty profile"])
def test_a_repaired_png_is_turned_upright(name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = decode(png_with(CHUNKS[name], exif=exif))
    assert photo.size_wh == (24, 32)
    assert (photo.pixels == np.rot90(PIXELS, -1)).all()


def test_a_repaired_png_keeps_its_transparency() -> None:
    image = Image.fromarray(PIXELS).convert("P")
    data = encode_image(image, "PNG", transparency=int(np.asarray(image)[0, 0]))
    broken = data[:33] + CHUNKS["a text with a wrong checksum"] + data[33:]
    assert (decode(broken).pixels == decode(data).pixels).all()
    assert decode(broken).pixels[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_png_of_incomplete_pixels_is_named_broken(cut: float) -> None:
    data = png_with(CHUNKS["2 MB of compressed text"])
    with pytest.raises(BrokenPhoto):
        decode(data[: int(len(data) * cut)])


def test_a_png_whose_header_is_damaged_is_called_a_png() -> None:
    data = bytearray(encode_image(Image.fromarray(PIXELS), "PNG"))
    data[16] ^= 0x55  # of the width, so that the checksum is wrong
    with pytest.raises(BrokenPhoto, match="PNG"):
        decode(bytes(data))


def jpeg_segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


SEGMENTS = {
    "a truncated JFIF header": jpeg_segment(0xE0, b"JFIF"),
    "a truncated profile": jpeg_segment(0xE2, b"ICC_PROFILE\0"),
    "a truncated Adobe segment": jpeg_segment(0xEE, b"Adobe"),
    "a truncated Photoshop block": jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed"),
    "a truncated index of pictures": jpeg_segment(0xE2, b"MPF\0II*\0"),
    "EXIF data of noise": jpeg_segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
    "text of 65 kB": jpeg_segment(0xFE, b"x" * 65_000),
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_the_pixels_of_a_jpeg_are_decoded_whatever_its_metadata(name: str) -> None:
    data = encode_image(Image.fromarray(PIXELS), "JPEG", quality=95)
    assert (decode(data[:2] + SEGMENTS[name] + data[2:]).pixels == decode(data).pixels).all()


def test_a_repaired_jpeg_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode_image(Image.fromarray(PIXELS), "JPEG", exif=exif)
    assert decode(data[:2] + SEGMENTS["a truncated JFIF header"] + data[2:]).size_wh == (24, 32)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("damage", ["a truncated chunk", "a chunk that is longer than the file", "no contents"])
def test_the_pixels_of_a_webp_are_decoded_whatever_its_metadata(damage: str, lossless: bool) -> None:
    image = Image.fromarray(PIXELS)
    data = encode_image(image, "WEBP", lossless=lossless, exif=b"Exif\0\0II*\0\xff\xff\xff\xff", xmp=b"<x>")
    start = data.index(b"EXIF")
    damaged = {
        "a truncated chunk": data[: start + 10],
        "a chunk that is longer than the file": data[: start + 4] + struct.pack("<I", 10**6) + data[start + 8 :],
        "no contents": data[:start],
    }[damage]
    assert (decode(damaged).pixels == decode(encode_image(image, "WEBP", lossless=lossless)).pixels).all()
    with pytest.raises(BrokenPhoto):
        decode(data[: start // 2])


@pytest.mark.parametrize("tag", [282, 283, 296, 700, 34665, 34853, 34675, 34377, 33723])
@pytest.mark.parametrize("value", [[], 1, 70_000, [1, 2, 3, 4, 5, 6, 7], 2**31])
def test_the_pixels_of_a_tiff_are_decoded_whatever_its_metadata(tag: int, value: int | list[int]) -> None:
    tags, strips = tiff.page(PIXELS, 2)
    assert (decode(tiff.tiff(({**tags, tag: value}, strips))).pixels == PIXELS).all()
