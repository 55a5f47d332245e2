"""The masks that the function must return, computed in this process."""

from __future__ import annotations

from functools import cache

from model.options import Options
from model.segmenter import Segmenter
from model.serving.model_loader import open_segmenter
from model.serving.settings import Settings


def local_mask(photo: bytes, max_pixels: int = Settings.max_pixels) -> bytes:
    """Return the mask of a photo by the bundled model, as PNG.

    Args:
        photo: The photo, in any supported format.
        max_pixels: Largest photo, as width times height.

    Raises:
        PhotoError: If the photo is unusable.
    """
    segmenter = _segmenter(max_pixels)
    return segmenter.segment(photo, Options.parse({}, segmenter.card)).body


@cache
def _segmenter(max_pixels: int) -> Segmenter:
    return open_segmenter(Settings(max_pixels=max_pixels))
