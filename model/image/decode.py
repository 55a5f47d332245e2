"""Decode uploaded images, which may be of any format, size and state of damage, to upright RGB pixels."""

from __future__ import annotations

import contextlib
import importlib
import io
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from model.errors import BrokenPhoto, EmptyBody, NotAPhoto, PhotoTooLarge
from model.image import pixels
from model.image.pixels import Samples

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF")  # JPEG includes MPO
# The usual formats: where a file has which bytes, and Pillow's module. Image.open would import those of all formats.
SIGNATURES = {
    "JPEG": (0, b"\xff\xd8\xff", "JpegImagePlugin"),
    "PNG": (0, b"\x89PNG\r\n\x1a\n", "PngImagePlugin"),
    "WEBP": (8, b"WEBP", "WebPImagePlugin"),
    "AVIF": (4, b"ftypavif", "AvifImagePlugin"),
}
MEMORY_HUNGRY_FORMATS = ("WEBP", "AVIF")  # their decoders hold up to four copies of the pixels
DECODER_BYTES_PER_PIXEL = 8  # of which a lack would make a decoder fail

ORIENTATION_TAG = 0x0112  # of EXIF
# Orientations that swap width and height, and those that then mirror the rows or the columns.
TRANSPOSED = (5, 6, 7, 8)
ROWS_REVERSED = (3, 4, 7, 8)
COLUMNS_REVERSED = (2, 3, 6, 7)

Show = Literal["no", "reduced", "full"]

Image.MAX_IMAGE_PIXELS = None  # decode() checks the size against max_pixels itself


class DecodedPhoto(NamedTuple):
    """A decoded photo, upright.

    Attributes:
        pixels: uint8 (H', W', 3) RGB, 0-255, on white where the photo is transparent; may be smaller than the photo.
        size_wh: Width and height of the photo itself.
        shown: uint8 (H, W, 3) in sRGB or (H, W, 4) with alpha, if the photo is to be shown and has an ICC profile or
            transparency; None if `pixels` is what is shown.
        dpi: Horizontal and vertical resolution in dots per inch, if the photo is to be shown and states it.
    """

    pixels: NDArray[np.uint8]
    size_wh: tuple[int, int]
    shown: NDArray[np.uint8] | None = None
    dpi: tuple[float, float] | None = None


def pixel_limits(max_pixels: int) -> dict[str, int]:
    """Return the limit for width times height by format.

    Args:
        max_pixels: The limit for most formats.
    """
    return {name: max_pixels // 2 if name in MEMORY_HUNGRY_FORMATS else max_pixels for name in FORMATS}


def decode(data: bytes, covering_wh: tuple[int, int] | None, max_pixels: int, *, show: Show = "no") -> DecodedPhoto:
    """Decode a photo and turn it upright.

    A large photo is decoded at the lowest resolution that covers the model's input. A JPEG's decoder does that itself,
    by a scaled DCT; other formats are reduced by a whole factor afterwards.

    Args:
        data: The photo as uploaded, in one of FORMATS; of an animation, the first frame is decoded.
        covering_wh: Width and height that the model needs, with the photo upright or on its side; None for full
            resolution.
        max_pixels: The limit for width times height; half of it for MEMORY_HUNGRY_FORMATS.
        show: Whether the photo is to be shown, so that its profile, transparency and resolution are read: "full" for
            all its pixels, "reduced" if `covering_wh` is enough.

    Returns:
        The decoded photo.

    Raises:
        EmptyBody: If there is no data.
        NotAPhoto: If the data is not in one of FORMATS, or has a layout that is not supported.
        PhotoTooLarge: If the header states more pixels than allowed. Nothing has been decoded by then.
        BrokenPhoto: If the pixels are truncated or damaged. Damage to the metadata of a PNG or JPEG does not matter.
        MemoryError: If there is not enough memory now.
    """
    if not data:
        raise EmptyBody("the request contains no photo; send one as the request body or in a form field")
    try:
        return _decode(data, covering_wh, max_pixels, show)
    except BrokenPhoto:
        from model.image import repair  # rarely needed

        # The metadata after a PNG's pixels may be what is damaged; _open deals with what is before them.
        stripped = repair.strip_png(data)
        if stripped is None or len(stripped) == len(data):
            raise
        return _decode(stripped, covering_wh, max_pixels, show)


def _decode(data: bytes, covering_wh: tuple[int, int] | None, max_pixels: int, show: Show) -> DecodedPhoto:
    with _open(data) as image:
        samples = _samples(image)
        width, height = image.size
        limit = pixel_limits(max_pixels).get(image.format or "", max_pixels)
        if width * height > limit:
            raise PhotoTooLarge(f"the photo has {width} x {height} pixels, more than the limit of {limit}; reduce it")
        try:
            return _load(image, samples, covering_wh, show)
        except MemoryError:
            raise
        except Exception as error:  # decoders raise all sorts of exceptions on damaged data
            _require_memory(width * height)
            raise BrokenPhoto("the photo is truncated or damaged; export it again") from error


def _open(data: bytes) -> Image.Image:
    with contextlib.suppress(Exception):  # Image.open raises it again, or opens the file as another format
        for name, (start, signature, plugin) in SIGNATURES.items():
            if data.startswith(signature, start):
                importlib.import_module(f"PIL.{plugin}")
                factory, _ = Image.OPEN[name]
                return factory(io.BytesIO(data), "")
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except MemoryError:
        raise
    except Exception as error:
        from model.image import repair, unsupported  # rarely needed

        for version in repair.headers_without_metadata(data):
            with contextlib.suppress(OSError, SyntaxError, ValueError):
                return Image.open(io.BytesIO(version), formats=FORMATS)
        _require_memory(unsupported.webp_pixels(data))  # Pillow starts to decode a WebP when it opens it
        if isinstance(error, UnidentifiedImageError):
            raise unsupported.explain(data, FORMATS) from error
        raise BrokenPhoto("the photo's header is damaged; export it again") from error


def _require_memory(pixel_count: int) -> None:
    """Raise MemoryError if there is less than a decoder needs; some decoders report that as damaged data."""
    np.empty(pixel_count * DECODER_BYTES_PER_PIXEL, np.uint8)


def _samples(image: Image.Image) -> Samples:
    """Return what a file states about its samples beyond Pillow's mode; of a TIFF, select the page to decode."""
    if image.format != "TIFF":
        return Samples()
    from model.image import tiff  # imports Pillow's TIFF decoder

    try:
        return tiff.prepare(image)
    except (NotAPhoto, MemoryError):
        raise
    except Exception as error:
        raise BrokenPhoto("the photo's header is damaged; export it again") from error


def _load(image: Image.Image, samples: Samples, covering_wh: tuple[int, int] | None, show: Show) -> DecodedPhoto:
    size_wh = image.size  # draft() changes it
    factor = 1
    if covering_wh:
        side = max(covering_wh)  # the photo may lie on its side
        if show != "full":
            image.draft("RGB", (side, side))  # selects a JPEG's DCT scale; other formats ignore it
        factor = max(1, min(image.size) // (2 * side))
    image.load()
    orientation = _orientation(image)
    shown, dpi = None, None
    if show != "no":
        from model.image import colour

        shown, dpi = colour.shown_pixels(image, samples), colour.dpi(image)
        if show == "full" and shown is None:
            factor = 1
    upright = pixels.to_rgb(image, samples, factor)
    if orientation in TRANSPOSED:
        size_wh = size_wh[1], size_wh[0]
        dpi = dpi and dpi[::-1]
    return DecodedPhoto(_turn(upright, orientation), size_wh, None if shown is None else _turn(shown, orientation), dpi)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1, upright, if there is none or the EXIF data is damaged."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # some cameras write invalid EXIF data into valid photos
        return 1
    return value if value in range(1, 9) else 1


def _turn(stored: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn an image upright."""
    if orientation in TRANSPOSED:
        stored = stored.swapaxes(0, 1)
    row_step, column_step = (-1 if orientation in values else 1 for values in (ROWS_REVERSED, COLUMNS_REVERSED))
    return np.ascontiguousarray(stored[::row_step, ::column_step])
