"""Why data that no decoder recognizes is not a photo: what it is, and what to do."""

from __future__ import annotations

import re

from model.errors import BrokenPhoto, NotAPhoto, PhotoError
from model.image import repair

# Formats that are decoded, by their first bytes.
SUPPORTED = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG",
    "GIF": rb"GIF8[79]a",
    "WebP": rb"RIFF....WEBP",
    "AVIF": rb"....ftypavi[fs]",
    "TIFF": rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]",
    "BMP": rb"BM....\0\0\0\0",
}
# Formats that are not, with advice.
OTHERS = {
    "HEIC": (rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", "convert it to JPEG"),
    "JPEG XL": (rb"\xff\x0a|\0\0\0\x0cJXL ", "convert it to JPEG or PNG"),
    "JPEG 2000": (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "convert it to JPEG or PNG"),
    "raw camera": (rb"....ftypcrx|FUJIFILMCCD-RAW|IIU\0|IIRO|\0MRM", "develop it to a JPEG"),
    "video": (rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI ", "send one frame as a JPEG"),
    "PDF": (rb"\s*%PDF", "export the page as a PNG"),
    "Photoshop": (rb"8BPS", "export it as a PNG"),
    "SVG": (rb"(?s)\s*(<\?xml.*)?<svg", "render it to a PNG"),
    "PostScript": (rb"%!PS|\xc5\xd0\xd3\xc6", "export it as a PNG"),
    "gzip": (rb"\x1f\x8b", "decompress it, or send Content-Encoding: gzip"),
    "zip": (rb"PK\x03\x04", "send the photo alone"),
    "HTML": (rb"(?i)\s*<(!doctype html|html)", "send the photo, not the page that links to it"),
}
# How text arrives where the bytes of a photo belong.
TEXTS = {
    "a data URL": (r"\s*data:", "decode its base64, or send it in JSON"),
    "JSON": (r"\s*[{\[]", "set the Content-Type application/json"),
    "an address": (r"\s*\w+://", "the function fetches no addresses; send the photo itself"),
    "base64": (r"\s*[A-Za-z0-9+/_-]{64}", "decode it, or send it in JSON"),
    "text": (r"", "send the bytes of the file (curl: --data-binary @photo.jpg)"),
}
FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # JPEG's SOF markers
TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]+")
SNIFFED_BYTES = 512
MAX_WEBP_PIXELS = 50_000_000


def explain(data: bytes, formats: tuple[str, ...]) -> PhotoError:
    """Return the error for data that no decoder recognizes.

    Args:
        data: The data, not empty.
        formats: Names of the supported formats.
    """
    start = data[:SNIFFED_BYTES]
    for name, pattern in SUPPORTED.items():
        if re.match(pattern, start, re.DOTALL):
            reason = _unsupported_layout(name, data)
            return NotAPhoto(reason) if reason else BrokenPhoto(f"the {name}'s header is damaged; export it again")
    supported = ", ".join(formats)
    for name, (pattern, advice) in OTHERS.items():
        if re.match(pattern, start, re.DOTALL):
            return NotAPhoto(f"the data is a {name} file, which is not supported ({supported}); {advice}")
    if TEXT.fullmatch(start) and (text := _decode_text(start)) is not None:
        name, advice = next((name, advice) for name, (pattern, advice) in TEXTS.items() if re.match(pattern, text))
        return NotAPhoto(f"the data is {name}, not an image; {advice}")
    return NotAPhoto(f"the data is not an image in a supported format ({supported})")


def webp_pixels(data: bytes) -> int:
    """Return the width times the height that a WebP's header states, up to MAX_WEBP_PIXELS; 0 for other data.

    https://developers.google.com/speed/webp/docs/riff_container
    """
    chunk, header = data[12:16], data[20:30]
    if data[8:12] != b"WEBP" or len(header) < 10:
        return 0
    if chunk == b"VP8X":
        width, height = int.from_bytes(header[4:7], "little") + 1, int.from_bytes(header[7:10], "little") + 1
    elif chunk == b"VP8L":
        bits = int.from_bytes(header[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (int.from_bytes(header[i : i + 2], "little") & 0x3FFF for i in (6, 8))
    return min(width * height, MAX_WEBP_PIXELS)


def _decode_text(start: bytes) -> str | None:
    try:
        return start[: SNIFFED_BYTES - 4].decode()  # the cut may be inside a character
    except UnicodeDecodeError:
        return None


def _unsupported_layout(name: str, data: bytes) -> str | None:
    """Return why a file of a supported format cannot be decoded; None if it is damaged."""
    if name == "TIFF":
        from model.image import tiff  # imports Pillow's TIFF decoder

        return tiff.describe_layout(data)
    if name == "JPEG":
        for marker, start, _ in repair.jpeg_segments(data):
            if marker in FRAME_HEADERS and len(data) > start + 9:
                bits, channels = data[start + 4], data[start + 9]
                if bits != 8:
                    return (
                        f"a JPEG of {bits} bits per channel is not supported; save it with 8 bits, or as a 16-bit PNG"
                    )
                if channels not in (1, 3, 4):
                    return f"a JPEG of {channels} channels is not supported; save it as grey, RGB or CMYK"
    return None
