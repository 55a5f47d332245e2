"""The comparison image: a photo and its results side by side."""

from __future__ import annotations

from PIL import Image

from ..photo import open_upright
from ..pixels import to_srgb
from .image_files import encode_as, on_checkerboard, open_result

GAP_PX = 6
PANEL_LONGEST_PX = 1024


def side_by_side(photo: bytes, results: list[bytes], extension: str) -> bytes:
    """Draw a photo and its results side by side.

    Args:
        photo: The bytes of the photo.
        results: PNGs of the photo's size.
        extension: Extension of the file to write, such as ".png"; it selects the format.

    Returns:
        The encoded image, in sRGB. Each panel is reduced to at most 1024 pixels on its longer side; a checkerboard
        shows where the photo is transparent.

    Raises:
        PhotoError: If the photo cannot be decoded, or no format has this extension.
        BadResponse: If a result cannot be decoded.
    """
    original = to_srgb(open_upright(photo))
    panels = [on_checkerboard(original), *(open_result(png) for png in results)]
    for panel in panels:
        panel.thumbnail((PANEL_LONGEST_PX, PANEL_LONGEST_PX))
    width = sum(panel.width for panel in panels) + GAP_PX * (len(panels) - 1)
    canvas = Image.new("RGB", (width, max(panel.height for panel in panels)), "white")
    canvas.info = original.info  # the resolution
    left = 0
    for panel in panels:
        canvas.paste(panel, (left, 0))
        left += panel.width + GAP_PX
    return encode_as(canvas, extension)
