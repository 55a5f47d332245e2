"""The origin of an output file: what it was made of, stored in the file itself.

PNG, JPEG, WebP and JSON files can hold an origin; each format holds the same JSON object, so that reading needs to know
none of them. Only a file whose origin names the same photo is skipped or replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import sys
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..photo import read_file
from .atomic_write import is_written

MARKER = b'{"silhouette": '
# An origin is near the start of the file; in a WebP file it is at the end.
EDGE_BYTES = 64 * 1024
PNG_HEADER_BYTES = 33  # signature and IHDR
FILE_BYTES_DIGITS = 12

FileState = Literal["absent", "current", "outdated", "foreign"]


@dataclass(frozen=True)
class Origin:
    """What an output file was made of.

    Attributes:
        photo: File name of the photo; empty for standard input.
        path: Hash of the photo's absolute path, which is not disclosed; empty for standard input.
        size: Size of the photo in bytes.
        mtime_ns: Modification time of the photo in nanoseconds since 1970.
        sha256: Checksum of the photo.
        options: The options that determine the output.
        model: `X-Model` of the response.
    """

    photo: str
    path: str
    size: int
    mtime_ns: int
    sha256: str
    options: dict[str, str] = field(default_factory=dict)
    model: str = ""


def read_source(photo: Path | None) -> tuple[bytes, Origin]:
    """Read a photo, and return its content and its origin, still without options and model.

    Args:
        photo: The photo's file; None for standard input.

    Raises:
        PhotoError: If the file cannot be read.
    """
    # The time is read first: if the photo changes meanwhile, the result counts as outdated.
    mtime_ns = photo.stat().st_mtime_ns if photo and photo.exists() else 0
    data = read_file(photo) if photo else sys.stdin.buffer.read()
    checksum = hashlib.sha256(data).hexdigest()
    return data, Origin(photo.name if photo else "", path_hash(photo), len(data), mtime_ns, checksum)


def path_hash(photo: Path | None) -> str:
    """Return a hash of a photo's absolute path, with the links to its folders resolved; empty for standard input."""
    if photo is None:
        return ""
    path = os.path.join(os.path.realpath(photo.parent), photo.name)
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def file_state(path: Path, photo: Path | None, options: dict[str, str], model: str) -> FileState:
    """Compare an output file with what would be written there.

    Args:
        path: The output file.
        photo: The photo's file; None for standard input.
        options: The options that determine the output.
        model: The function's current model; empty if it is unknown.

    Returns:
        "absent" if there is no file, or an empty one, as a power failure leaves it; "current" if it was made of the
        same photo with the same options by the same model; "outdated" if it was made of the same photo otherwise;
        "foreign" if it was made of another photo or not by this client, or has been edited since.
    """
    if not is_written(path):
        return "foreign" if path.is_dir() else "absent"
    origin = read_origin(path)
    if origin is None:
        return "foreign"
    is_unchanged = _is_unchanged(photo, origin)
    if not is_unchanged and origin.path != path_hash(photo):
        return "foreign"
    is_current = is_unchanged and origin.options == options and (not model or origin.model == model)
    return "current" if is_current else "outdated"


def _is_unchanged(photo: Path | None, origin: Origin) -> bool:
    """Return whether a photo has the content from which a file was made.

    The same path, size and modification time are taken as proof, as by rsync; else the checksum decides.
    """
    try:
        if photo is None or photo.stat().st_size != origin.size:
            return False
        if photo.stat().st_mtime_ns == origin.mtime_ns and path_hash(photo) == origin.path:
            return True
        with photo.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == origin.sha256
    except OSError:
        return False


def embed_origin(body: bytes, origin: Origin) -> bytes:
    """Return the content of an output file with its origin in it; a format that cannot hold one is left unchanged."""
    size = len(_insert(body, _payload(origin, 0)))
    return _insert(body, _payload(origin, size))


def read_origin(path: Path) -> Origin | None:
    """Return the origin of a file, or None if it has none, is not a regular file, or has another size than written."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            head = file.read(EDGE_BYTES)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(len(head), size - EDGE_BYTES))
            tail = file.read()
    except OSError:
        return None
    return _parse(head, size) or _parse(tail, size)


def _parse(data: bytes, file_bytes: int) -> Origin | None:
    start = data.find(MARKER)
    if start < 0:
        return None
    try:
        fields, _ = json.JSONDecoder().raw_decode(data.decode("latin-1"), start + len(MARKER))
        return Origin(**fields) if int(fields.pop("file_bytes")) == file_bytes else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _payload(origin: Origin, file_bytes: int) -> bytes:
    """Return an origin as ASCII JSON, with the size of the whole file in a fixed number of digits."""
    fields: dict[str, Any] = {**asdict(origin), "file_bytes": f"{file_bytes:0{FILE_BYTES_DIGITS}d}"}
    return MARKER + json.dumps(fields).encode() + b"}"


def _insert(body: bytes, payload: bytes) -> bytes:
    """Insert a payload into a file: tEXt chunk of a PNG, comment of a JPEG, RIFF chunk of a WebP, member of JSON."""
    if body.startswith(b"\x89PNG"):
        text = b"tEXtsilhouette\0" + payload
        chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
        return body[:PNG_HEADER_BYTES] + chunk + body[PNG_HEADER_BYTES:]
    if body.startswith(b"\xff\xd8"):
        at = _end_of_jpeg_header(body)
        return body[:at] + b"\xff\xfe" + struct.pack(">H", len(payload) + 2) + payload + body[at:]
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        padded = payload + b" " * (len(payload) % 2)
        content = body[8:] + b"silh" + struct.pack("<I", len(padded)) + padded
        return b"RIFF" + struct.pack("<I", len(content)) + content
    if body.startswith(b"{") and body.rstrip() != b"{}":
        return payload[:-1] + b", " + body[1:].lstrip()
    return body


def _end_of_jpeg_header(body: bytes) -> int:
    """Return the offset after the application segments (JFIF, EXIF, ICC), which must come first."""
    at = 2
    while at + 4 <= len(body) and body[at] == 0xFF and 0xE0 <= body[at + 1] <= 0xEF:
        at += 2 + int.from_bytes(body[at + 2 : at + 4], "big")
    return at
