"""Pictures of masks on photos, tile by tile, each with a caption."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.tflite.card import ModelCard

TILE_PX = 200
CAPTION_PX = 16
OBJECT_OPACITY, BACKGROUND_SHADE = (
    0.6,
    0.35,
)  # of the classes' colours; of the background, so that the object stands out
TILES_A_ROW = 6

Tile = tuple[NDArray[np.uint8], str]  # RGB pixels and a caption


def overlay(photo: NDArray[np.uint8], mask: NDArray[np.uint8], card: ModelCard) -> NDArray[np.uint8]:
    """Blend the classes' colours over a photo, and darken its background.

    Args:
        photo: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W) class ids.
        card: The card with the palette.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    palette = np.zeros((256, 3), np.float32)
    palette[: len(card.palette)] = card.palette
    is_background = (mask == card.background)[..., np.newaxis]
    blended = photo * (1 - OBJECT_OPACITY) + palette[mask] * OBJECT_OPACITY
    return np.asarray(np.where(is_background, photo * BACKGROUND_SHADE, blended).round().astype(np.uint8))


def draw(strips: Sequence[Sequence[Tile]]) -> Image.Image:
    """Draw strips of tiles, as many strips in a row as fit.

    Args:
        strips: Strips of equal length; the tiles of a strip stay beside each other.

    Returns:
        An RGB image.
    """
    length = len(strips[0])
    per_row = max(1, TILES_A_ROW // length)
    height = TILE_PX + CAPTION_PX
    rows = -(-len(strips) // per_row)
    sheet = Image.new("RGB", (min(per_row, len(strips)) * length * TILE_PX, rows * height), "white")
    canvas = ImageDraw.Draw(sheet)
    for i, strip in enumerate(strips):
        for j, (pixels, caption) in enumerate(strip):
            tile = Image.fromarray(pixels)
            tile.thumbnail((TILE_PX - 4, TILE_PX - 4))
            left, top = (i % per_row * length + j) * TILE_PX, i // per_row * height
            sheet.paste(tile, (left + 2, top + CAPTION_PX))
            canvas.text((left + 3, top + 2), caption, "black")
    return sheet
