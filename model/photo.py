"""Uploaded bytes to upright RGB pixels, guarded."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from model.errors import BrokenPhoto, EmptyBody, NotAPhoto, PhotoTooLarge

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF")  # JPEG includes MPO
ORIENTATION = 0x0112  # the EXIF tag
SIDEWAYS = (5, 6, 7, 8)  # its values that swap width and height

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
        if size_wh[0] * size_wh[1] > max_pixels:
            raise PhotoTooLarge(f"the photo has {size_wh[0]} x {size_wh[1]} pixels; the limit is {max_pixels} in all")
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
    if covering_wh:
        side = max(covering_wh)  # the photo may lie on its side
        image.draft("RGB", (side, side))  # a JPEG at its smallest DCT scale; nothing for other formats
    image.load()
    orientation = _orientation(image)
    if orientation in SIDEWAYS:
        size_wh = size_wh[1], size_wh[0]
    upright = ImageOps.exif_transpose(image) if orientation != 1 else image
    return Photo(np.asarray(_rgb(upright)), size_wh)


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation; 1, upright, where the EXIF data is damaged."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # EXIF of broken cameras: the photo is still good
        return 1
    return value if value in range(1, 9) else 1


def _rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB: deep greys scaled to 8 bits, transparency laid on white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _eight_bits(grey: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale a deep grey image to 0-255: 16 bits by their full range, other numbers by the range they use."""
    values = np.nan_to_num(grey.astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = (0.0, 65535.0) if values.min() >= 0 and 255 < values.max() <= 65535 else (values.min(), values.max())
    return ((values - low) * (255.0 / max(high - low, 1e-9))).round().astype(np.uint8)
