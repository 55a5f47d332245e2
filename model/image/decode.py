"""Uploaded bytes to upright RGB pixels, guarded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from model.errors import BrokenPhoto, EmptyBody, NotAPhoto, PhotoTooLarge

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF")  # JPEG includes MPO
HEAVY = ("WEBP", "AVIF")  # whose decoders hold a photo up to four times: so these may have half the pixels
ORIENTATION = 0x0112  # the EXIF tag
SIDEWAYS = (5, 6, 7, 8)  # its values that swap width and height,
UPSIDE_DOWN, LEFT_IS_RIGHT = (3, 4, 7, 8), (2, 3, 6, 7)  # and after that mirror
STRIP_PX = 1 << 20  # what is converted at once

Image.MAX_IMAGE_PIXELS = None  # decode() holds the size against max_pixels itself, before anything is decoded


@dataclass(frozen=True)
class Photo:
    """A photo as far as it was decoded.

    pixels: uint8 (H', W', 3) RGB, 0-255, upright; may be smaller than the photo
    size_wh: the size the photo itself has upright
    """

    pixels: NDArray[np.uint8]
    size_wh: tuple[int, int]


def decode(data: bytes, covering_wh: tuple[int, int] | None, max_pixels: int) -> Photo:
    """Decode an upload just far enough to cover the model's input, and turn it upright.

    data: the bytes as uploaded, in any of FORMATS; of several frames, the first
    covering_wh: the size that is enough; None for the whole photo
    raises: EmptyBody, NotAPhoto, BrokenPhoto, PhotoTooLarge
    """
    if not data:
        raise EmptyBody("the request has no photo in it")
    with _open(data) as image:
        size_wh = image.size
        limit = max_pixels // 2 if image.format in HEAVY else max_pixels
        if size_wh[0] * size_wh[1] > limit:
            raise PhotoTooLarge(f"the photo has {size_wh[0]} x {size_wh[1]} pixels; the limit is {limit} in all")
        try:
            return _load(image, size_wh, covering_wh)
        except (Exception, MemoryError) as error:  # decoders meet broken data with whatever they happen to raise
            raise BrokenPhoto("the photo is truncated or damaged") from error


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise NotAPhoto(f"the bytes are no image of a known format ({', '.join(FORMATS)})") from error
    except Exception as error:
        raise BrokenPhoto("the photo's header is damaged") from error


def _load(image: Image.Image, size_wh: tuple[int, int], covering_wh: tuple[int, int] | None) -> Photo:
    factor = 1
    if covering_wh:
        side = max(covering_wh)  # the photo may lie on its side
        image.draft("RGB", (side, side))  # a JPEG at its smallest DCT scale; nothing for other formats
        factor = max(1, min(image.size) // (2 * side))
    image.load()
    orientation = _orientation(image)
    pixels = _pixels(image, factor)
    if orientation in SIDEWAYS:
        size_wh = size_wh[1], size_wh[0]
        pixels = pixels.swapaxes(0, 1)
    down, across = (-1 if orientation in mirrored else 1 for mirrored in (UPSIDE_DOWN, LEFT_IS_RIGHT))
    return Photo(np.ascontiguousarray(pixels[::down, ::across]), size_wh)


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation; 1, upright, where the EXIF data is damaged."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # EXIF of broken cameras: the photo is still good
        return 1
    return value if value in range(1, 9) else 1


def _pixels(image: Image.Image, factor: int) -> NDArray[np.uint8]:
    """Convert any mode to RGB at a whole part of the size, strip by strip: beside the image, only the result is held.

    returns: uint8 (H / factor, W / factor, 3), rounded up
    """
    width, height = image.size
    deep = image.mode in ("I", "F") or image.mode.startswith("I;16")
    span = _span(image) if deep else None
    pixels = np.empty((-(-height // factor), -(-width // factor), 3), np.uint8)
    for top, strip in _strips(image, factor):
        rgb = Image.fromarray(_eight_bits(_numbers(strip), *span)).convert("RGB") if span else _rgb(strip)
        small = np.asarray(rgb.reduce(factor) if factor > 1 else rgb)
        pixels[top // factor :][: len(small)] = small
    return pixels


def _strips(image: Image.Image, factor: int) -> Iterator[tuple[int, Image.Image]]:
    """Cut an image into strips of full width, each a multiple of the factor high, and say where each begins."""
    rows = factor * max(1, STRIP_PX // (image.width * factor))
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def _rgb(image: Image.Image) -> Image.Image:
    """Convert a mode of 8 bits to RGB, with transparency laid on white."""
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _numbers(grey: Image.Image) -> NDArray[np.float32]:
    return np.nan_to_num(np.asarray(grey).astype(np.float32), posinf=0.0, neginf=0.0)


def _span(image: Image.Image) -> tuple[float, float]:
    """Tell what is black and white in a deep grey image: 16 bits by their full range, others by the range they use."""
    ends = [(values.min(), values.max()) for values in (_numbers(strip) for _, strip in _strips(image, 1))]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return (0.0, 65535.0) if low >= 0 and 255 < high <= 65535 else (float(low), float(high))


def _eight_bits(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    return ((values - low) * (255.0 / max(high - low, 1e-9))).round().astype(np.uint8)
