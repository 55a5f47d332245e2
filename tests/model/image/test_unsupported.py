"""Data that is no photo is called what it is, with the next step."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from model.errors import BrokenPhoto, NotAPhoto
from model.image.decode import decode
from tests.support.images import solid_image
from tests.support.paths import SAMPLE

JPEG = SAMPLE.read_bytes()


def with_frame(precision: int, channels: int) -> bytes:
    """Return a JPEG whose frame header states another precision or number of channels."""
    data = bytearray(JPEG)
    frame = data.index(b"\xff\xc0")
    data[frame + 4], data[frame + 9] = precision, channels
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\0\0\x18ftypheic" + bytes(64), "HEIC.*convert it to JPEG"),
        (b"\0\0\0\x18ftypmif1" + bytes(64), "HEIC"),
        (b"\0\0\0\x18ftypcrx " + bytes(64), "raw camera"),
        (b"\0\0\0\x18ftypisom" + bytes(64), "video.*frame"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(64), "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64), "JPEG 2000"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b"8BPS\0\1" + bytes(64), "Photoshop"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'/>", "SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
        (gzip.compress(JPEG), "gzip.*Content-Encoding"),
        (b"PK\x03\x04" + bytes(64), "zip"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"photo.jpg", "text.*--data-binary"),
        ("Grüße, ein Text".encode(), "text"),
        (base64.b64encode(JPEG), "base64.*JSON"),
        (b"data:image/jpeg;base64," + base64.b64encode(JPEG), "data URL"),
        (json.dumps({"image": "x"}).encode(), "JSON.*application/json"),
        (b"https://example.com/a.jpg", "fetches no addresses"),
        (bytes(range(1, 200)), "not an image in a supported format"),
        (with_frame(12, 3), "JPEG of 12 bits"),
        (with_frame(8, 2), "JPEG of 2 channels"),
    ],
)
def test_what_is_not_a_photo_is_called_what_it_is(data: bytes, words: str) -> None:
    with pytest.raises(NotAPhoto, match=words):
        decode(data, None, 10**6)


@pytest.mark.parametrize("name", ["PNG", "TIFF", "GIF", "BMP", "WEBP"])
def test_a_photo_with_a_damaged_header_is_called_by_its_format(name: str) -> None:
    data = solid_image("red", format=name)
    with pytest.raises(BrokenPhoto):
        decode(data[:12], None, 10**6)
