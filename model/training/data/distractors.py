"""Solid things that are no objects of interest, drawn by code: balls, cups, boxes and bars, lit from one side.

A model trained only on photos with the object in the middle learns to mark whatever is in the middle. These things are
in the middle and are background.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating[Any]]
Shape = tuple[NDArray[np.bool_], Floats]  # where the thing is, and the light on it, 0 to 1


def draw(scene: Image.Image, texture: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """Draw one thing in front of a scene.

    Args:
        scene: RGB.
        texture: RGB of the same size; it is the surface of half of the things. The others have one colour.
        rng: The source of randomness.

    Returns:
        The scene with the thing, and the thing's mask (mode L, 255 inside).
    """
    width, height = scene.size
    x, y = _random_axes(width, height, rng)
    inside, light = [_ball, _cup, _box, _bar][rng.integers(4)](x, y, rng)
    base = rng.uniform(20, 255, 3).astype(np.float32)
    surface: Any = np.asarray(texture, np.float32) if rng.random() < 0.5 else np.broadcast_to(base, (height, width, 3))
    if rng.random() < 0.25:
        stripes = 0.5 + 0.5 * np.sign(np.sin((x * rng.uniform(-1, 1) + y) * rng.uniform(5, 30)))
        surface = surface * stripes[..., None] + (255 - base) * (1 - stripes[..., None])
    highlight = 120 * rng.random() * np.clip(light, 0, 1) ** 24
    pixels = surface * (0.25 + 0.85 * np.clip(light, 0, 1))[..., None] + highlight[..., None]
    # Scaled up and down again, the mask has a smooth edge.
    mask = Image.fromarray((inside * 255).astype(np.uint8)).resize((width * 2, height * 2)).resize((width, height))
    thing = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return Image.composite(thing, scene, mask), mask


def _random_axes(width: int, height: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the coordinates of each pixel in a thing's own axes, in which it extends from -1 to 1."""
    across, down = (np.linspace(-1, 1, pixels, dtype=np.float32) for pixels in (width, height))
    columns, rows = np.meshgrid(across, down)
    angle = rng.normal(0, 0.4)
    columns, rows = columns - rng.uniform(-0.5, 0.5), rows - rng.uniform(-0.5, 0.5)
    x = columns * np.cos(angle) + rows * np.sin(angle)
    y = rows * np.cos(angle) - columns * np.sin(angle)
    half_width, half_height = rng.uniform(0.25, 0.9), rng.uniform(0.25, 0.9)
    return x / np.float32(half_width), y / np.float32(half_height)


def _lambert(normal_x: Floats, normal_y: Floats, normal_z: Floats, rng: np.random.Generator) -> Floats:
    """Return the light on a surface from a random direction, by its normals (Lambert's cosine law)."""
    direction = rng.normal((0, 0, 1.2))
    a, b, c = (float(part) for part in direction / np.linalg.norm(direction))
    light: Floats = a * normal_x + b * normal_y + abs(c) * normal_z
    return light


def _ball(x: Floats, y: Floats, rng: np.random.Generator) -> Shape:
    r = x * x + y * y
    return r < 1, _lambert(x, y, np.sqrt(np.clip(1 - r, 0, 1)), rng)


def _cup(x: Floats, y: Floats, rng: np.random.Generator) -> Shape:
    """Draw a cylinder that narrows towards its foot, with an opening and sometimes a handle."""
    taper = 1 - np.float32(rng.uniform(0, 0.4)) * (y + 1) / 2
    flatness = np.float32(rng.uniform(0.1, 0.35))
    u = np.clip(x / taper, -1, 1)
    bow = flatness * np.sqrt(1 - u * u)
    body = (np.abs(x) < taper * 0.8) & (y > -0.8) & (y < 0.75 + bow * 0.2)
    light = _lambert(u, np.zeros_like(u), np.sqrt(1 - u * u), rng)
    rim = (x / 0.8) ** 2 + ((y + 0.8) / flatness) ** 2
    light = np.where(rim < 1, 0.9 - 0.6 * (rim < 0.85) * rng.random(), light)
    ring = ((np.abs(x) - 0.8) / 0.25) ** 2 + (y / 0.45) ** 2
    handle = (ring < 1) & (ring > 0.45) & (x > 0) & (rng.random() < 0.6)
    return body | (rim < 1) | handle, light.astype(np.float32)


def _box(x: Floats, y: Floats, rng: np.random.Generator) -> Shape:
    """Draw two sides of a box and its top."""
    edge, slope = np.float32(rng.uniform(-0.5, 0.5)), np.float32(rng.uniform(0.1, 0.4))
    left, right = x <= edge, x > edge
    top = y < -0.6 + slope * np.abs(x - edge)
    inside = (np.abs(x) < 1) & (y > -0.95 + slope * np.abs(x - edge) * 0.2) & (y < 0.9 - slope * np.abs(x - edge))
    shades = rng.uniform(0.15, 1.0, 3)
    light = np.where(top, shades[0], np.where(left, shades[1], np.where(right, shades[2], 0)))
    return inside, light.astype(np.float32)


def _bar(x: Floats, y: Floats, rng: np.random.Generator) -> Shape:
    """Draw a rounded bar or a bent tube."""
    bend = np.float32(rng.uniform(-0.8, 0.8)) * y * y
    u = (x - bend) / np.float32(rng.uniform(0.15, 0.5))
    return (np.abs(u) < 1) & (np.abs(y) < 1), _lambert(u, np.zeros_like(u), np.sqrt(np.clip(1 - u * u, 0, 1)), rng)
