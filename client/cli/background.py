"""What is put behind a cutout: a colour or a picture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageColor, ImageOps

from client.errors import BadAnswer
from client.photo import UNREADABLE, open_upright, to_bytes, to_rgb


@dataclass(frozen=True)
class Background:
    """Hold a colour (RGB, 0-255) or a picture (RGB); the picture is the one used where there is one."""

    colour: tuple[int, int, int] = (255, 255, 255)
    picture: Image.Image | None = None


def read_background(text: str) -> Background:
    """Read a colour as the web writes it (white, #ffcc00, rgb(255, 204, 0)), or the path of a picture.

    raises: ValueError, PhotoError
    """
    if Path(text).is_file():
        return Background(picture=to_rgb(open_upright(to_bytes(Path(text)))))
    red, green, blue = ImageColor.getrgb(text)[:3]
    return Background((red, green, blue))


def put_behind(cutout_png: bytes, background: Background) -> bytes:
    """Lay a cutout over a background, which is cropped to its shape.

    cutout_png: RGBA
    returns: PNG, RGB, of the same size
    raises: BadAnswer
    """
    try:
        with Image.open(io.BytesIO(cutout_png)) as opened:
            cutout = opened.convert("RGBA")
    except UNREADABLE as error:
        raise BadAnswer(f"the cutout cannot be opened: {error}") from error
    if background.picture is None:
        behind = Image.new("RGB", cutout.size, background.colour)
    else:
        behind = ImageOps.fit(background.picture, cutout.size)
    behind.paste(cutout, mask=cutout)
    out = io.BytesIO()
    behind.save(out, "PNG", compress_level=3)
    return out.getvalue()
