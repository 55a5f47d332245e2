"""Images for the tests."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

Encode = Callable[..., bytes]  # the type of `encode_image`


def encode_image(image: Image.Image, format: str, **options: object) -> bytes:
    """Return an image as the bytes of a file.

    Args:
        image: The image.
        format: Pillow's name of the format, such as "JPEG".
        options: Options of Pillow's encoder.
    """
    with io.BytesIO() as file:
        image.save(file, format, **options)
        return file.getvalue()


def solid_image(colour: str, size_wh: tuple[int, int] = (60, 40), format: str = "JPEG") -> bytes:
    """Return an image of one colour as the bytes of a file.

    Args:
        colour: Pillow's name of the colour.
        size_wh: Width and height in pixels.
        format: Pillow's name of the format.
    """
    return encode_image(Image.new("RGB", size_wh, colour), format)


def random_image(seed: int, size_wh: tuple[int, int] = (16, 12)) -> bytes:
    """Return an image of random pixels as the bytes of a PNG.

    Args:
        seed: Seed of the pixels; each seed gives another image.
        size_wh: Width and height in pixels.
    """
    pixels = np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    return encode_image(Image.fromarray(pixels), "PNG")


def decode_image(data: bytes) -> Image.Image:
    """Open an image from the bytes of a file."""
    return Image.open(io.BytesIO(data))
