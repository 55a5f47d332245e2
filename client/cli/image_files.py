"""Image files: decoded from responses, and encoded by file extension."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from ..errors import BadResponse, PhotoError
from ..photo import DECODE_ERRORS
from ..pixels import has_alpha, to_rgb, to_rgba

SQUARE_PX = 8
QUALITY = 92  # of JPEG and WebP
LIGHT, DARK = (255, 255, 255), (204, 204, 204)


def decode_result(data: bytes) -> Image.Image:
    """Decode an image of the server.

    Raises:
        BadResponse: If it cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image
    except DECODE_ERRORS as error:
        raise BadResponse(f"cannot decode the result: {error}") from error


def open_result(data: bytes) -> Image.Image:
    """Decode an image of the server as RGB, over a checkerboard where it is transparent.

    Raises:
        BadResponse: If it cannot be decoded.
    """
    return on_checkerboard(decode_result(data))


def on_checkerboard(image: Image.Image) -> Image.Image:
    """Return an image as RGB, over a checkerboard where it is transparent."""
    if not has_alpha(image):
        return to_rgb(image)
    rgba = to_rgba(image)
    backdrop = checkerboard(image.size)
    backdrop.paste(rgba, mask=rgba)
    return backdrop


def checkerboard(size_wh: tuple[int, int]) -> Image.Image:
    """Return the pattern with which image editors show transparency, as an RGB image."""
    columns, rows = (-(-side // SQUARE_PX) for side in size_wh)
    squares = Image.new("RGB", (columns, rows))
    squares.putdata([(DARK, LIGHT)[(row + column) % 2] for row in range(rows) for column in range(columns)])
    board = squares.resize((columns * SQUARE_PX, rows * SQUARE_PX), Image.Resampling.NEAREST)
    return board.crop((0, 0, *size_wh))


def has_image_extension(path: Path) -> bool:
    """Return whether a file's extension names a format that Pillow can write."""
    image_format = Image.registered_extensions().get(path.suffix.lower())
    return image_format is not None and image_format in Image.SAVE


def encode_as(image: Image.Image, extension: str) -> bytes:
    """Encode an image in the format of a file extension.

    Args:
        image: The image.
        extension: The extension, such as ".png".

    Returns:
        The encoded file.

    Raises:
        PhotoError: If no format has this extension, or the format cannot hold the image.
    """
    image_format = Image.registered_extensions().get(extension.lower())
    resolution = {"dpi": image.info["dpi"]} if "dpi" in image.info else {}
    try:
        if image_format is None:
            raise ValueError("unknown image format")
        out = io.BytesIO()
        image.save(out, image_format, quality=QUALITY, **resolution)
    except (OSError, ValueError, KeyError) as error:
        raise PhotoError(f"cannot write an image file with extension {extension or '(none)'}: {error}") from error
    return out.getvalue()
