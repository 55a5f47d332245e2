"""Solid things that are no pets, drawn by code: balls, cups, boxes and bars, lit from one side.

A model that has only ever seen photos with an object in the middle takes whatever is in the middle for the
object. These are there to be in the middle, and not to be found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating[Any]]


def draw(scene: Image.Image, filling: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """Draw one thing before a scene.

    scene, filling: RGB of one size; the filling gives half of the things their surface
    returns: the picture, and where the thing is (mode L, 255 inside)
    """
    width, height = scene.size
    x, y = _turned_axes(width, height, rng)
    inside, light = [_ball, _cup, _box, _bar][rng.integers(4)](x, y, rng)
    base = rng.uniform(20, 255, 3).astype(np.float32)
    surface: Any = np.asarray(filling, np.float32) if rng.random() < 0.5 else np.broadcast_to(base, (height, width, 3))
    if rng.random() < 0.25:
        stripes = 0.5 + 0.5 * np.sign(np.sin((x * rng.uniform(-1, 1) + y) * rng.uniform(5, 30)))
        surface = surface * stripes[..., None] + (255 - base) * (1 - stripes[..., None])
    shine = 120 * rng.random() * np.clip(light, 0, 1) ** 24
    pixels = surface * (0.25 + 0.85 * np.clip(light, 0, 1))[..., None] + shine[..., None]
    mask = Image.fromarray((inside * 255).astype(np.uint8)).resize((width * 2, height * 2)).resize((width, height))
    thing = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return Image.composite(thing, scene, mask), mask


def _turned_axes(width: int, height: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Lay axes around a random middle, turned, with the thing's own extent from -1 to 1."""
    across, down = (np.linspace(-1, 1, pixels, dtype=np.float32) for pixels in (width, height))
    columns, rows = np.meshgrid(across, down)
    angle = rng.normal(0, 0.4)
    columns, rows = columns - rng.uniform(-0.5, 0.5), rows - rng.uniform(-0.5, 0.5)
    x = columns * np.cos(angle) + rows * np.sin(angle)
    y = rows * np.cos(angle) - columns * np.sin(angle)
    wide, high = rng.uniform(0.25, 0.9), rng.uniform(0.25, 0.9)
    return x / np.float32(wide), y / np.float32(high)


def _lit(normal_x: Floats, normal_y: Floats, normal_z: Floats, rng: np.random.Generator) -> Floats:
    direction = rng.normal((0, 0, 1.2))
    a, b, c = (float(part) for part in direction / np.linalg.norm(direction))
    light: Floats = a * normal_x + b * normal_y + abs(c) * normal_z
    return light


def _ball(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Floats]:
    r = x * x + y * y
    return r < 1, _lit(x, y, np.sqrt(np.clip(1 - r, 0, 1)), rng)


def _cup(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Floats]:
    """Stand a cylinder, narrower at its foot, with an opening and perhaps a handle."""
    taper = 1 - np.float32(rng.uniform(0, 0.4)) * (y + 1) / 2
    flat = np.float32(rng.uniform(0.1, 0.35))
    u = np.clip(x / taper, -1, 1)
    bow = flat * np.sqrt(1 - u * u)
    body = (np.abs(x) < taper * 0.8) & (y > -0.8) & (y < 0.75 + bow * 0.2)
    light = _lit(u, np.zeros_like(u), np.sqrt(1 - u * u), rng)
    rim = (x / 0.8) ** 2 + ((y + 0.8) / flat) ** 2
    light = np.where(rim < 1, 0.9 - 0.6 * (rim < 0.85) * rng.random(), light)
    ring = ((np.abs(x) - 0.8) / 0.25) ** 2 + (y / 0.45) ** 2
    handle = (ring < 1) & (ring > 0.45) & (x > 0) & (rng.random() < 0.6)
    return body | (rim < 1) | handle, light.astype(np.float32)


def _box(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Floats]:
    """Show two sides of a box and its top."""
    edge, slope = np.float32(rng.uniform(-0.5, 0.5)), np.float32(rng.uniform(0.1, 0.4))
    left, right = x <= edge, x > edge
    top = y < -0.6 + slope * np.abs(x - edge)
    inside = (np.abs(x) < 1) & (y > -0.95 + slope * np.abs(x - edge) * 0.2) & (y < 0.9 - slope * np.abs(x - edge))
    shades = rng.uniform(0.15, 1.0, 3)
    light = np.where(top, shades[0], np.where(left, shades[1], np.where(right, shades[2], 0)))
    return inside, light.astype(np.float32)


def _bar(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Floats]:
    """Lay a rounded bar or a bent tube."""
    bend = np.float32(rng.uniform(-0.8, 0.8)) * y * y
    u = (x - bend) / np.float32(rng.uniform(0.15, 0.5))
    return (np.abs(u) < 1) & (np.abs(y) < 1), _lit(u, np.zeros_like(u), np.sqrt(np.clip(1 - u * u, 0, 1)), rng)
