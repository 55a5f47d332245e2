"""Drawn photos of coloured shapes and their masks, on which every family trains within seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

RED, BLUE, GREEN = (215, 60, 55), (60, 85, 220), (60, 190, 80)
TRAINED, HELD_OUT = 48, 12  # photos


def draw(
    count: int, size_wh: tuple[int, int] = (64, 64), classes: int = 2, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw photos with a red shape, a blue one and a green one on a noisy background of varying brightness.

    Red is class 1, blue is class 2 if there are three classes, and everything else is background. So a mask is wrong
    if the order of the channels or the normalization is wrong.

    Args:
        count: Number of photos.
        size_wh: Width and height in pixels.
        classes: 2 or 3.
        seed: Seed of the drawing.

    Returns:
        The photos, uint8 (count, H, W, 3) RGB, and the class ids, uint8 (count, H, W).
    """
    pairs = [_draw_one(np.random.default_rng((seed, i)), size_wh, classes) for i in range(count)]
    return np.stack([photo for photo, _ in pairs]), np.stack([ids for _, ids in pairs])


def _draw_one(
    rng: np.random.Generator, size_wh: tuple[int, int], classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    width, height = size_wh
    noise = Image.fromarray(rng.integers(50, 150, (8, 8, 3), np.uint8))
    photo = noise.resize(size_wh, Image.Resampling.BICUBIC)
    ids = Image.new("L", size_wh, 0)
    shapes = [(GREEN, 0), (BLUE, 2 if classes == 3 else 0), (RED, 1)]
    for colour, class_id in [shapes[i] for i in (*rng.permutation(2), 2)]:
        side = int(rng.integers(min(size_wh) // 4, min(size_wh) // 2))
        x, y = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
        shade = tuple(np.clip(np.array(colour) + rng.integers(-20, 21, 3), 0, 255).tolist())
        for image, value in ((photo, shade), (ids, class_id)):
            pen = ImageDraw.Draw(image)
            (pen.ellipse if _is_round(x, y) else pen.rectangle)((x, y, x + side, y + side), fill=value)
    brightness = rng.uniform(0.6, 1.1)
    pixels = np.clip(np.asarray(photo, np.float32) * brightness, 0, 255).astype(np.uint8)
    return pixels, np.asarray(ids)


def _is_round(x: int, y: int) -> bool:
    """Return whether the shape at a position is a disc rather than a square."""
    return (x + y) % 2 == 0


def write(folder: Path, photos: NDArray[np.uint8], ids: NDArray[np.uint8]) -> tuple[Path, Path]:
    """Write photos and masks of class ids as PNG, and return their two folders."""
    folders = folder / "photos", folder / "masks"
    for target, images in zip(folders, (photos, ids), strict=True):
        target.mkdir(parents=True)
        for i, pixels in enumerate(images):
            Image.fromarray(pixels).save(target / f"{i:02}.png")
    return folders
