"""The pixels of an image of any mode as arrays of 8 bits per channel, converted strip by strip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

STRIP_PX = 1 << 20  # pixels converted at once


class Samples(NamedTuple):
    """What a file states about the samples of a grey image of more than 8 bits, beyond Pillow's mode.

    Attributes:
        white: The value of white; None for a scale that is derived from the values.
        is_inverted: Whether low values are light.
        is_unsigned: Whether values of 32 bits have no sign.
    """

    white: float | None = None
    is_inverted: bool = False
    is_unsigned: bool = False


def to_rgb(image: Image.Image, samples: Samples, factor: int) -> NDArray[np.uint8]:
    """Convert an image of any mode to RGB, on white where it is transparent, and reduce it by a factor.

    It works in strips, so that only the result is held beside the image.

    Args:
        image: The image, loaded.
        samples: What is known about its values.
        factor: Number of rows and columns that become one.

    Returns:
        uint8 (H / factor, W / factor, 3), rounded up.
    """
    width, height = image.size
    to_eight_bits = eight_bit_converter(image, samples)
    pixels = np.empty((-(-height // factor), -(-width // factor), 3), np.uint8)
    for top, strip in strips(image, factor):
        rgb = _flatten(to_eight_bits(strip))
        reduced = np.asarray(rgb.reduce(factor) if factor > 1 else rgb)
        pixels[top // factor :][: len(reduced)] = reduced
    return pixels


def strips(image: Image.Image, factor: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Yield strips of full width, each but the last a multiple of the factor high, with the row they begin at."""
    rows = factor * max(1, STRIP_PX // (image.width * factor))
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def is_deep(image: Image.Image) -> bool:
    """Return whether an image is grey with more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def eight_bit_converter(image: Image.Image, samples: Samples) -> Callable[[Image.Image], Image.Image]:
    """Return a function that converts a strip of an image to 8 bits per channel.

    Args:
        image: The whole image, whose extreme values may determine the scale.
        samples: What is known about its values.
    """
    if not is_deep(image):
        return lambda strip: strip
    low, high = _value_range(image, samples)
    if samples.is_inverted:
        low, high = high, low
    scale = 255.0 / ((high - low) or 1.0)

    def convert(strip: Image.Image) -> Image.Image:
        return Image.fromarray(((_deep_values(strip, samples) - low) * scale).clip(0, 255).round().astype(np.uint8))

    return convert


def _flatten(image: Image.Image) -> Image.Image:
    """Convert an image of 8 bits per channel to RGB, on white where it is transparent."""
    if image.has_transparency_data:
        rgba = to_rgba(image)
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def to_rgba(image: Image.Image) -> Image.Image:
    """Convert an image with transparency to RGBA."""
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")  # Pillow cannot convert La at once


def _deep_values(grey: Image.Image, samples: Samples) -> NDArray[np.float32]:
    """Return the values of a grey image of more than 8 bits; those that are not finite as 0."""
    values = np.asarray(grey)
    if samples.is_unsigned:
        values = values.view(np.uint32)
    return np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)


def _value_range(image: Image.Image, samples: Samples) -> tuple[float, float]:
    """Return the lowest and the highest value that a grey image of more than 8 bits is meant to have.

    Those of 16 bits are assumed to use the full range; others are stretched from their lowest to their highest value.
    """
    if samples.white is not None:
        return 0.0, samples.white
    extremes = [(v.min(), v.max()) for v in (_deep_values(strip, samples) for _, strip in strips(image))]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    return (0.0, 65535.0) if low >= 0 and 255 < high <= 65535 else (float(low), float(high))
