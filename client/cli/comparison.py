"""Pictures made of pictures: a photo beside its mask, and a sheet of many."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from client.errors import BadAnswer, PhotoError
from client.photo import UNREADABLE, open_upright, to_rgb

GAP_PX = 6
PANEL_LONGEST_PX = 1024
GAP_COLOUR = "white"


def side_by_side(photo: bytes, others: list[bytes], ending: str) -> bytes:
    """Put a photo and what was made of it beside one another.

    photo: the bytes of the photo
    others: PNGs of the photo's size
    ending: of the file it will be, such as ".png"; it chooses the format
    raises: PhotoError, BadAnswer
    """
    panels = [to_rgb(open_upright(photo)), *(open_answer(png) for png in others)]
    for panel in panels:
        panel.thumbnail((PANEL_LONGEST_PX, PANEL_LONGEST_PX))
    width = sum(panel.width for panel in panels) + GAP_PX * (len(panels) - 1)
    whole = Image.new("RGB", (width, max(panel.height for panel in panels)), GAP_COLOUR)
    left = 0
    for panel in panels:
        whole.paste(panel, (left, 0))
        left += panel.width + GAP_PX
    return encode_as(whole, ending)


def open_answer(png: bytes) -> Image.Image:
    """Open a picture that the server sent, as RGB, with a checkerboard showing through where it is clear.

    raises: BadAnswer
    """
    try:
        with Image.open(io.BytesIO(png)) as image:
            if image.mode != "RGBA":
                return to_rgb(image)
            behind = checkerboard(image.size)
            behind.paste(image, mask=image)
            return behind
    except UNREADABLE as error:
        raise BadAnswer(f"the answer cannot be opened: {error}") from error


def checkerboard(size_wh: tuple[int, int]) -> Image.Image:
    """Draw what picture editors show where nothing is."""
    tile = Image.new("RGB", (2, 2), (255, 255, 255))
    tile.putpixel((0, 0), (204, 204, 204))
    tile.putpixel((1, 1), (204, 204, 204))
    squares_wh = (size_wh[0] // 8 + 2, size_wh[1] // 8 + 2)
    board = Image.new("RGB", squares_wh)
    for top in range(0, squares_wh[1], 2):
        for left in range(0, squares_wh[0], 2):
            board.paste(tile, (left, top))
    return board.resize((squares_wh[0] * 8, squares_wh[1] * 8), Image.Resampling.NEAREST).crop((0, 0, *size_wh))


def is_picture_name(path: Path) -> bool:
    """Tell whether a file's ending names a format that Pillow writes."""
    form = Image.registered_extensions().get(path.suffix.lower())
    return form is not None and form in Image.SAVE


def encode_as(picture: Image.Image, ending: str) -> bytes:
    """Encode in the format that a file's ending names.

    raises: PhotoError
    """
    form = Image.registered_extensions().get(ending.lower())
    try:
        if form is None:
            raise ValueError(f"no format is called {ending or '(nothing)'}")
        out = io.BytesIO()
        picture.save(out, form)
    except (OSError, ValueError, KeyError) as error:
        raise PhotoError(f"cannot make a picture for a file that ends in {ending or 'nothing'}: {error}") from error
    return out.getvalue()
