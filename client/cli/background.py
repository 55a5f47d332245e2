"""The background of a cutout: a colour or an image."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageColor, ImageOps

from ..photo import open_upright, read_photo
from ..pixels import to_rgb, to_srgb
from .image_files import decode_result


@dataclass(frozen=True)
class Background:
    """The background of a cutout.

    Attributes:
        colour: RGB, 0-255.
        image: RGB image that is used instead of the colour.
        sha256: Checksum of the image's file.
    """

    colour: tuple[int, int, int] = (255, 255, 255)
    image: Image.Image | None = None
    sha256: str = ""

    @property
    def identity(self) -> str:
        """The colour as #rrggbb, or the checksum of the image."""
        return self.sha256 or "#{:02x}{:02x}{:02x}".format(*self.colour)


def parse_background(text: str) -> Background:
    """Parse a background.

    Args:
        text: A CSS colour (white, #ffcc00, rgb(255, 204, 0)), or the path of an image file.

    Returns:
        The background.

    Raises:
        ValueError: If the text is neither a file nor a colour.
        PhotoError: If the file cannot be decoded.
    """
    if Path(text).is_file():
        data = read_photo(Path(text))
        return Background(image=to_rgb(to_srgb(open_upright(data))), sha256=hashlib.sha256(data).hexdigest())
    red, green, blue = ImageColor.getrgb(text)[:3]
    return Background((red, green, blue))


def compose(cutout_png: bytes, background: Background) -> Image.Image:
    """Draw a cutout over a background, which is scaled and cropped to the cutout's size.

    Args:
        cutout_png: RGBA PNG or WebP.
        background: The background.

    Returns:
        RGB image of the same size and resolution.

    Raises:
        BadResponse: If the cutout cannot be decoded.
    """
    cutout = decode_result(cutout_png).convert("RGBA")
    if background.image is None:
        canvas = Image.new("RGB", cutout.size, background.colour)
    else:
        canvas = ImageOps.fit(background.image, cutout.size)
    canvas.paste(cutout, mask=cutout)
    if "dpi" in cutout.info:
        canvas.info["dpi"] = cutout.info["dpi"]
    return canvas
