"""Composed scenes: objects cut out of their photos and pasted onto other photos, and mosaics of photos.

They supply what photos of one large pet lack: small, several, partly hidden and cut-off pets in cluttered scenes
(Dwibedi et al. 2017, "Cut, Paste and Learn"; Ghiasi et al. 2021, "Simple Copy-Paste"). Every function is pure: its
randomness is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from model.training.data import distractors, targets

SMALLEST = 0.05  # height of a pasted object, as a share of the frame's height
WIDEST = 1.3  # width of a pasted object, as a share of the frame's width
COUNTS = (0.45, 0.3, 0.15, 0.1)  # probability of one, two, three and four objects

Pair = tuple[Image.Image, Image.Image]
Box = tuple[int, int, int, int]  # left, top, right, bottom


class Cutout(NamedTuple):
    """An object to paste.

    Attributes:
        photo: The whole photo that shows it, RGB.
        target: The photo's target, mode L.
        box: The object's bounding box in the photo. Where it touches an edge of the photo, the object is cut off.
    """

    photo: Image.Image
    target: Image.Image
    box: Box


class Placement(NamedTuple):
    """Where an object goes in the frame, in pixels. It may extend beyond the frame."""

    left: int
    top: int
    width: int
    height: int


def object_box(ids: Image.Image) -> Box | None:
    """Return the bounding box of what is not background, or None where it cannot be cut out.

    It cannot where there is no object, or where the object is cut off at opposite edges of its photo.
    """
    box = ids.getbbox()
    if box is None or (box[0] == 0 and box[2] == ids.width) or (box[1] == 0 and box[3] == ids.height):
        return None
    return box


def count(rng: np.random.Generator) -> int:
    """Draw how many objects a scene has."""
    return 1 + int(rng.choice(len(COUNTS), p=COUNTS))


def scene(
    background: Image.Image, cutouts: Sequence[Cutout], cover: Image.Image, rng: np.random.Generator, soft: bool
) -> Pair:
    """Paste objects onto a background, the smallest and farthest first, some of them behind other things.

    Args:
        background: RGB, without any object.
        cutouts: The objects.
        cover: RGB without any object, of the background's size: the surface of what hides parts of the objects.
        rng: The source of randomness.
        soft: Whether targets are soft.

    Returns:
        The photo and its target, of the background's size.
    """
    sigma = rng.uniform(0.3, 1.2)
    photo = background.filter(ImageFilter.GaussianBlur(sigma)) if rng.random() < 0.3 else background.copy()
    pair = photo, Image.new("L", background.size, 0)
    heights = sorted(SMALLEST + (1 - SMALLEST) * rng.random(len(cutouts)) ** 1.5)
    for cutout, height in zip(cutouts, heights, strict=True):
        place = _place(cutout, height, background.size, rng)
        pair = _paste(pair, cutout, place, _gains(cutout, background, rng), soft)
        chance = rng.random()
        if chance < 0.2:
            pair = _hide(pair, cover, _board(background.size, place, rng), soft)
        elif chance < 0.3:
            pair = _hide(pair, *distractors.draw(pair[0], cover, rng), soft)
    return pair


def mosaic(pairs: Sequence[Pair], rng: np.random.Generator, soft: bool) -> Pair:
    """Join four pairs of one size around a random point, each scaled down to its corner.

    Returns:
        A pair of the same size.
    """
    width, height = pairs[0][0].size
    x, y = (int(side * rng.uniform(0.35, 0.65)) for side in (width, height))
    corners = ((0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height))
    photo, target = Image.new("RGB", (width, height)), Image.new("L", (width, height))
    for (piece, piece_target), (left, top, right, bottom) in zip(pairs, corners, strict=True):
        size = right - left, bottom - top
        photo.paste(piece.resize(size, Image.Resampling.BILINEAR), (left, top))
        target.paste(piece_target.resize(size, targets.resampling(soft)), (left, top))
    return photo, target


def _place(cutout: Cutout, height: float, frame: tuple[int, int], rng: np.random.Generator) -> Placement:
    """Choose size and position. Where the object is cut off in its photo, the frame cuts it off too."""
    left, top, right, bottom = cutout.box
    aspect = (right - left) / (bottom - top) * np.exp(rng.uniform(-0.4, 0.3)) * frame[1] / frame[0]
    height = min(height, WIDEST / aspect)
    tall = max(4, round(height * frame[1]))
    wide = max(4, round(height * aspect * frame[0]))
    x = _offset(wide, frame[0], left == 0, right == cutout.photo.width, rng)
    y = _offset(tall, frame[1], top == 0, bottom == cutout.photo.height, rng)
    return Placement(x, y, wide, tall)


def _offset(length: int, frame: int, cut_before: bool, cut_after: bool, rng: np.random.Generator) -> int:
    """Return an object's offset along one axis of the frame; at most a quarter or, if cut off, 0.3 of it is outside."""
    hidden = rng.uniform(0, 0.3) * length
    if cut_before:
        return -int(hidden)
    if cut_after:
        return int(np.ceil(frame - length + hidden))
    return round(rng.uniform(-0.25 * length, frame - 0.75 * length))


def _gains(cutout: Cutout, background: Image.Image, rng: np.random.Generator) -> list[float]:
    """Return factors by channel that bring the object's light, and less so its tint, towards the background's."""
    theirs, ours = (
        np.array(image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)), float) + 20
        for image in (background, cutout.photo)
    )
    light = theirs.mean() / ours.mean()
    tint = theirs / ours / light
    gains: list[float] = (light ** rng.uniform(0.2, 0.7) * tint ** rng.uniform(0, 0.4)).clip(0.5, 1.7).tolist()
    return gains


def _paste(pair: Pair, cutout: Cutout, place: Placement, gains: Sequence[float], soft: bool) -> Pair:
    """Paste an object; the pair's photo is changed in place."""
    photo, target = pair
    size, at = (place.width, place.height), (place.left, place.top)
    piece = cutout.photo.resize(size, Image.Resampling.BILINEAR, cutout.box)
    piece = piece.point([min(255, round(level * gain)) for gain in gains for level in range(256)])
    piece_target = cutout.target.resize(size, targets.resampling(soft), cutout.box)
    photo.paste(piece, at, targets.opacity(piece_target, soft))
    if soft:
        layer = Image.new("L", target.size, 0)
        layer.paste(piece_target, at)
        return photo, ImageChops.lighter(target, layer)
    target.paste(piece_target, at, piece_target.point([0] + [255] * 255))
    return photo, target


def _hide(pair: Pair, drawn: Image.Image, where: Image.Image, soft: bool) -> Pair:
    """Put a thing that is no object in front of everything; where: mode L, 255 where the thing is."""
    photo, target = pair
    if not soft:
        where = where.point([0] * 128 + [255] * 128)
    return Image.composite(drawn, photo, where), ImageChops.multiply(target, ImageChops.invert(where))


def _board(frame: tuple[int, int], place: Placement, rng: np.random.Generator) -> Image.Image:
    """Return the mask of a board in front of the object's lower part: mode L, 255 on the board."""
    left = place.left - place.width * rng.uniform(0, 0.6)
    right = place.left + place.width * rng.uniform(1, 1.6)
    top = place.top + place.height * rng.uniform(0.45, 0.95)
    bottom = frame[1] + 2 if rng.random() < 0.6 else top + place.height * rng.uniform(0.3, 0.8)
    slant = place.height * rng.uniform(-0.1, 0.1)
    mask = Image.new("L", frame, 0)
    ImageDraw.Draw(mask).polygon([(left, top), (right, top + slant), (right, bottom + slant), (left, bottom)], 255)
    return mask.filter(ImageFilter.GaussianBlur(0.7))
