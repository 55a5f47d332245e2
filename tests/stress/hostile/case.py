"""A hostile request body and the responses that are allowed for it."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image

from model.image import repair


@dataclass(frozen=True)
class Case:
    """A request body.

    Attributes:
        name: What is hostile about it.
        body: The body.
        content_type: Its Content-Type.
        size_wh: Width and height of the mask, if the response is one; either order is allowed, because damage may
            change the EXIF orientation. None if the response must be an error.
    """

    name: str
    body: bytes
    content_type: str = "application/octet-stream"
    size_wh: tuple[int, int] | None = None


def photo_case(name: str, photo: bytes) -> Case:
    """Return a case whose mask must have the size in the photo's header."""
    return Case(name, photo, size_wh=header_size_wh(photo))


def header_size_wh(photo: bytes) -> tuple[int, int] | None:
    """Return the width and height in a photo's header; None if it is unreadable, even without its metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for version in (photo, *repair.headers_without_metadata(photo)):
            try:
                return Image.open(io.BytesIO(version)).size
            except Exception:  # any, for damaged data
                continue
    return None
