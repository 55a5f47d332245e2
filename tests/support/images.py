"""Images for the tests."""

from __future__ import annotations

import io
from collections.abc import Callable

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
