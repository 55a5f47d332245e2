"""One body to send, and what may come of it."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Case:
    """A body, and what its mask must be like if it gets one.

    name: what is wrong with it, in words
    size_wh: of the mask, in either order where damage may turn the photo; None where there must be none
    """

    name: str
    body: bytes
    content_type: str = "application/octet-stream"
    size_wh: tuple[int, int] | None = None


def of_photo(name: str, photo: bytes) -> Case:
    """Make a case of bytes whose own header says how large the mask must be."""
    return Case(name, photo, size_wh=claimed_wh(photo))


def claimed_wh(photo: bytes) -> tuple[int, int] | None:
    """Read the size that the header claims; None where there is none to be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(io.BytesIO(photo)).size
    except Exception:  # whatever Pillow meets in it
        return None
