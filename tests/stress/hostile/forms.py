"""Malformed forms, wrong content types and bodies that are not photos."""

from __future__ import annotations

from collections.abc import Iterator

from tests.stress.hostile.case import Case, header_size_wh
from tests.stress.hostile.photos import FORMATS, sample_photo

FORM = "multipart/form-data; boundary=x"
FILE = b'Content-Disposition: form-data; name="file"; filename="a.jpg"'


def forms() -> Iterator[Case]:
    """Yield each case once."""
    yield from _wrong_types()
    yield from _broken_forms()
    yield from _unusual_forms()
    yield from _truncated_forms()
    yield from _other_bodies()


def _part(photo: bytes, head: bytes = FILE) -> bytes:
    return b"--x\r\n" + head + b"\r\n\r\n" + photo + b"\r\n"


def _wrong_types() -> Iterator[Case]:
    """Yield wrong content types. The function ignores the type of a body, except for multipart/form-data."""
    photo = sample_photo("PNG")
    for content_type in (
        "image/jpeg",
        "text/html; charset=utf-7",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=x",
        "application/json",
        "image/svg+xml",
        "nonsense",
        ";;;=",
        "a" * 4000,
    ):
        yield Case(f"a photo sent as {content_type[:40]}", photo, content_type, (60, 44))
    for content_type in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=y",
        "multipart/form-data; boundary=" + "x" * 4000,
        "multipart/form-data; boundary=\xff\xfe",
        "multipart/form-data; boundary*=utf-8''x%00",
        "MULTIPART/FORM-DATA; BOUNDARY=x; charset=utf-16",
    ):
        yield Case(f"not a form, sent as {content_type[:60]}", photo, content_type)


def _broken_forms() -> Iterator[Case]:
    photo = sample_photo("PNG")
    for name, body in (
        ("nothing", b""),
        ("only its end", b"--x--\r\n"),
        ("only its beginning", b"--x"),
        ("a part without headers", b"--x\r\n\r\n" + photo + b"\r\n--x--"),
        ("a part without a name", _part(photo, b"Content-Disposition: form-data; filename=a") + b"--x--"),
        ("a part without a disposition", _part(photo, b"Content-Type: image/png") + b"--x--"),
        ("a header of 1 MB", b"--x\r\n" + b"A" * 2**20 + b"\r\n\r\nx\r\n--x--"),
        ("endless headers", b"--x\r\n" + b"A: b\r\n" * 100_000),
        ("100000 boundaries", b"--x\r\n" * 100_000),
        ("2000 fields", _part(b"1", b'Content-Disposition: form-data; name="n"') * 2_000 + b"--x--"),
        ("a field of 1 MB", _part(b"1" * 2**20, b'Content-Disposition: form-data; name="n"') + b"--x--"),
        ("2 MB that look like its end", _part(b"\r\n--" * 500_000)),
        (
            "a field name that is not UTF-8",
            _part(b"1", b'Content-Disposition: form-data; name="\xff\0\xfe"') + b"--x--",
        ),
        (
            "a nested form",
            _part(_part(photo) + b"--y--", FILE + b"\r\nContent-Type: multipart/mixed; boundary=y") + b"--x--",
        ),
        ("forms 500 deep", _part(b"", b"Content-Type: multipart/mixed; boundary=x") * 500 + b"--x--"),
        (
            "base64, which is not decoded",
            _part(b"iVBORw0K", FILE + b"\r\nContent-Transfer-Encoding: base64") + b"--x--",
        ),
        ("the photo in another field", _part(photo, FILE.replace(b'"file"', b'"photo"')) + b"--x--"),
    ):
        yield Case(f"a form of {name}", body, FORM)


def _unusual_forms() -> Iterator[Case]:
    """Yield unusual forms that contain a photo nevertheless."""
    photo = sample_photo("PNG")
    for name, body in (
        ("a path as the file name", _part(photo, FILE.replace(b"a.jpg", b"../" * 50 + b"etc/passwd")) + b"--x--"),
        ("a file name of 60 KB", _part(photo, FILE.replace(b"a.jpg", b"a" * 60_000)) + b"--x--"),
        ("text before and after it", b"hello\r\n" + _part(photo) + b"--x--\r\nbye"),
        ("two photos", _part(photo) * 2 + b"--x--"),
        ("a wrong length in the part", _part(photo, FILE + b"\r\nContent-Length: 5") + b"--x--"),
        (
            "another charset",
            _part(b"utf-16", b'Content-Disposition: form-data; name="_charset_"') + _part(photo) + b"--x--",
        ),
    ):
        yield Case(f"a form with {name}", body, FORM, (60, 44))
    for name in FORMATS:
        yield Case(f"{name} in a form", _part(sample_photo(name)) + b"--x--", FORM, (60, 44))


def _truncated_forms() -> Iterator[Case]:
    form = _part(b"hello", b'Content-Disposition: form-data; name="n"') + _part(sample_photo("JPEG")) + b"--x--\r\n"
    for percent in range(1, 100):
        body = form[: len(form) * percent // 100]
        yield Case(f"a form truncated at {percent} %", body, FORM, (60, 44))


def _other_bodies() -> Iterator[Case]:
    for name, body in (
        ("nothing", b""),
        ("one byte", b"\0"),
        ("zeros", bytes(2**20)),
        ("text", b"hello " * 1000),
        ("33 MB", b"\x89PNG\r\n\x1a\n" + bytes(33 * 2**20)),
        ("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("SVG", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
        ("XML with nested entities", b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;">]><a>&d;</a>'),
        ("a zip", b"PK\3\4" + bytes(1000)),
        ("gzip", b"\x1f\x8b\x08" + bytes(100)),
        ("an icon", b"\0\0\1\0\1\0\x10\x10" + bytes(100)),
        ("PSD", b"8BPS\0\1" + bytes(100)),
        ("FITS", b"SIMPLE  =                    T" + bytes(3000)),
        ("PPM", b"P6 60 44 255\n" + bytes(60 * 44 * 3)),
        ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100)),
    ):
        yield Case(f"a body of {name}", body)
    for name in FORMATS:
        photo = sample_photo(name)
        yield Case(f"{name} with 1 MB after it", photo + bytes(2**20), size_wh=header_size_wh(photo))
        yield Case(f"{name} twice", photo * 2, size_wh=header_size_wh(photo))
        yield Case(f"{name} after a line break", b"\n" + photo)
