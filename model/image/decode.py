"""Decode uploaded images, which may be of any format, size and state of damage, to upright RGB pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from model.errors import BrokenPhoto, EmptyBody, NotAPhoto, PhotoTooLarge

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF")  # JPEG includes MPO
MEMORY_HUNGRY_FORMATS = ("WEBP", "AVIF")  # their decoders hold up to four copies of the pixels
STRIP_PX = 1 << 20  # pixels converted at once

ORIENTATION_TAG = 0x0112  # of EXIF
# Orientations that swap width and height, and those that then mirror the rows or the columns.
TRANSPOSED = (5, 6, 7, 8)
ROWS_REVERSED = (3, 4, 7, 8)
COLUMNS_REVERSED = (2, 3, 6, 7)

Image.MAX_IMAGE_PIXELS = None  # decode() checks the size against max_pixels itself


@dataclass(frozen=True)
class DecodedPhoto:
    """A decoded photo, upright.

    Attributes:
        pixels: uint8 (H', W', 3) RGB, 0-255; may be smaller than the photo.
        size_wh: Width and height of the photo itself.
    """

    pixels: NDArray[np.uint8]
    size_wh: tuple[int, int]


def decode(data: bytes, covering_wh: tuple[int, int] | None, max_pixels: int) -> DecodedPhoto:
    """Decode a photo and turn it upright.

    A large photo is decoded at the lowest resolution that covers the model's input. A JPEG's decoder does that itself,
    by a scaled DCT; other formats are reduced by a whole factor afterwards.

    Args:
        data: The photo as uploaded, in one of FORMATS; of an animation, the first frame is decoded.
        covering_wh: Width and height that the result must cover, with the photo upright or on its side; None for full
            resolution.
        max_pixels: The limit for width times height; half of it for MEMORY_HUNGRY_FORMATS.

    Returns:
        The decoded photo.

    Raises:
        EmptyBody: If there is no data.
        NotAPhoto: If the data is not in one of FORMATS.
        PhotoTooLarge: If the header states more pixels than allowed. Nothing has been decoded by then.
        BrokenPhoto: If the data is truncated or damaged.
    """
    if not data:
        raise EmptyBody("the request contains no photo; send one as the request body or in a form field")
    with _open(data) as image:
        width, height = image.size
        limit = max_pixels // 2 if image.format in MEMORY_HUNGRY_FORMATS else max_pixels
        if width * height > limit:
            raise PhotoTooLarge(f"the photo has {width} x {height} pixels, more than the limit of {limit}; reduce it")
        try:
            return _load(image, covering_wh)
        except (Exception, MemoryError) as error:  # decoders raise all sorts of exceptions on damaged data
            raise BrokenPhoto("the photo is truncated or damaged; export it again") from error


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise NotAPhoto(f"the data is not an image in a supported format ({', '.join(FORMATS)})") from error
    except Exception as error:
        raise BrokenPhoto("the photo's header is damaged; export it again") from error


def _load(image: Image.Image, covering_wh: tuple[int, int] | None) -> DecodedPhoto:
    size_wh = image.size  # draft() changes it
    factor = 1
    if covering_wh:
        side = max(covering_wh)  # the photo may lie on its side
        image.draft("RGB", (side, side))  # selects a JPEG's DCT scale; other formats ignore it
        factor = max(1, min(image.size) // (2 * side))
    image.load()
    orientation = _orientation(image)
    pixels = _to_rgb(image, factor)
    if orientation in TRANSPOSED:
        size_wh = size_wh[1], size_wh[0]
        pixels = pixels.swapaxes(0, 1)
    row_step, column_step = (-1 if orientation in values else 1 for values in (ROWS_REVERSED, COLUMNS_REVERSED))
    return DecodedPhoto(np.ascontiguousarray(pixels[::row_step, ::column_step]), size_wh)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1, upright, if there is none or the EXIF data is damaged."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # some cameras write invalid EXIF data into valid photos
        return 1
    return value if value in range(1, 9) else 1


def _to_rgb(image: Image.Image, factor: int) -> NDArray[np.uint8]:
    """Convert an image of any mode to RGB, reduced by a factor.

    It works in strips, so that only the result is held beside the image.

    Returns:
        uint8 (H / factor, W / factor, 3), rounded up.
    """
    width, height = image.size
    is_deep = image.mode in ("I", "F") or image.mode.startswith("I;16")
    value_range = _value_range(image) if is_deep else None
    pixels = np.empty((-(-height // factor), -(-width // factor), 3), np.uint8)
    for top, strip in _strips(image, factor):
        if value_range:
            rgb = Image.fromarray(_to_eight_bits(_deep_values(strip), *value_range)).convert("RGB")
        else:
            rgb = _flatten(strip)
        reduced = np.asarray(rgb.reduce(factor) if factor > 1 else rgb)
        pixels[top // factor :][: len(reduced)] = reduced
    return pixels


def _strips(image: Image.Image, factor: int) -> Iterator[tuple[int, Image.Image]]:
    """Yield strips of full width, each but the last a multiple of the factor high, with the row they begin at."""
    rows = factor * max(1, STRIP_PX // (image.width * factor))
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def _flatten(image: Image.Image) -> Image.Image:
    """Convert an image of 8 bits per channel to RGB, on white where it is transparent."""
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _deep_values(grey: Image.Image) -> NDArray[np.float32]:
    """Return the values of a grey image of more than 8 bits; those that are not finite as 0."""
    return np.nan_to_num(np.asarray(grey).astype(np.float32), posinf=0.0, neginf=0.0)


def _value_range(image: Image.Image) -> tuple[float, float]:
    """Return the values of black and white in a grey image of more than 8 bits.

    Those of 16 bits are assumed to use the full range; others are stretched from their lowest to their highest value.
    """
    extremes = [(values.min(), values.max()) for values in (_deep_values(strip) for _, strip in _strips(image, 1))]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    return (0.0, 65535.0) if low >= 0 and 255 < high <= 65535 else (float(low), float(high))


def _to_eight_bits(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    return ((values - low) * (255.0 / max(high - low, 1e-9))).round().astype(np.uint8)
