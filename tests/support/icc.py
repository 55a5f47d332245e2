"""ICC profiles, built by code."""

from __future__ import annotations

import struct

# Display P3's primaries, adapted to the white point D50, and sRGB's transfer function (ICC.1:2022, parametric curve 3).
PRIMARIES_XYZ = {
    b"rXYZ": (0.51512, 0.24120, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.15710, 0.06657, 0.78407),
}
WHITE_XYZ = (0.96420, 1.0, 0.82491)
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def display_p3_profile() -> bytes:
    """Return an ICC profile of Display P3, the colour space of the photos of current phones."""
    curve = b"para" + struct.pack(">IHH", 0, 3, 0) + _fixed(SRGB_CURVE)
    text = _text("Display P3")
    tags = {b"desc": text, b"cprt": text, b"wtpt": _xyz(WHITE_XYZ)}
    tags |= {tag: _xyz(value) for tag, value in PRIMARIES_XYZ.items()}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    """Return an ICC profile of grey."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256))
    return _profile(b"GRAY", {b"desc": _text("Grey"), b"cprt": _text("Grey"), b"wtpt": _xyz(WHITE_XYZ), b"kTRC": curve})


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return a display profile of version 4."""
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        table += struct.pack(">4sII", tag, start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    body = table + data
    header = struct.pack(">I4x4s4s4s4s12x4s", 128 + len(body), b"\x04\0\0\0", b"mntr", space, b"XYZ ", b"acsp")
    return header.ljust(68, b"\0") + _fixed(WHITE_XYZ) + bytes(48) + body


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">III2s2sII", 0, 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _fixed(values: tuple[float, ...]) -> bytes:
    """Return numbers as s15Fixed16Number."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))
