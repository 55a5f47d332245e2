"""Photos: read from whatever the caller has, and decoded upright."""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from .errors import PhotoError
from .pixels import PNG_MODES, deep_to_grey, is_deep, to_srgb

PhotoInput = str | Path | bytes | bytearray | memoryview | BinaryIO | Image.Image | NDArray[Any]

# Modes that Pillow can reduce smoothly; images of other modes are converted first, which takes more memory.
REDUCIBLE_MODES = ("L", "RGB", "RGBA", "CMYK", "YCbCr")
# On malformed files Pillow's decoders raise almost any exception.
DECODE_ERRORS = (Exception,)
# `ftyp` brands of HEIC, which the server cannot decode. It can decode AVIF, which uses the same container.
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def read_photo(photo: PhotoInput) -> bytes:
    """Return the bytes of an image file for a photo.

    Args:
        photo: A path, the bytes of an image file, a file object open for reading bytes, a Pillow image, or a uint8
            array (H, W), (H, W, 3) RGB or (H, W, 4) RGBA. Images and arrays are encoded without EXIF orientation, so
            that the mask matches their pixels.

    Returns:
        The file unchanged, except that HEIC becomes JPEG or PNG; PNG for an image or an array.

    Raises:
        PhotoError: If the file cannot be read, the array has another dtype or shape, the image cannot be encoded, or
            the photo is HEIC and pillow-heif is not installed.
    """
    if isinstance(photo, np.ndarray):
        return _encode_png(_image_from_array(photo))
    if isinstance(photo, Image.Image):
        return _encode_png(photo)
    data = _read_bytes(photo)
    return _heic_to_jpeg(data) if _is_heic(data) else data


def _read_bytes(photo: str | Path | bytes | bytearray | memoryview | BinaryIO) -> bytes:
    """Return the content of a file that is given by its path, as bytes, or as a file object."""
    if isinstance(photo, str | Path):
        return read_file(photo)
    if isinstance(photo, io.BytesIO):
        return photo.getvalue()  # of all, wherever its position is, as after saving an image to it
    data = photo.read() if hasattr(photo, "read") else photo
    if not isinstance(data, bytes | bytearray | memoryview):
        raise PhotoError(
            f"a photo cannot be read from {type(photo).__name__}; pass a path, bytes, an image or an array"
        )
    return bytes(data)


def read_file(path: str | Path) -> bytes:
    """Return the content of a file.

    Raises:
        PhotoError: If the file cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PhotoError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def _image_from_array(pixels: NDArray[Any]) -> Image.Image:
    is_uint8 = pixels.dtype == np.uint8 and pixels.size > 0
    if not is_uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise PhotoError(
            f"an array must be uint8 (H, W), (H, W, 3) or (H, W, 4), but this one is {pixels.dtype} {pixels.shape}"
        )
    return Image.fromarray(pixels)


def _encode_png(image: Image.Image) -> bytes:
    """Encode an image without EXIF, which would make the server rotate it."""
    try:
        storable = _storable(image)
        out = io.BytesIO()
        storable.save(out, "PNG", compress_level=1, exif=b"", **resolution(image))
    except (OSError, ValueError) as error:
        raise PhotoError(f"cannot encode the image: {error}") from error
    return out.getvalue()


def _storable(image: Image.Image) -> Image.Image:
    """Convert an image to a mode that PNG can store; its colour profile is applied where it would not fit any more."""
    if image.mode in PNG_MODES or 0 in image.size:
        return image
    return deep_to_grey(image) if is_deep(image) else to_srgb(image)


def _is_heic(data: bytes) -> bool:
    """Return whether the first box of an ISO media file names HEIC and not AVIF."""
    return data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS and b"avif" not in data[16:64]


def _heic_to_jpeg(data: bytes) -> bytes:
    """Convert HEIC to an upright JPEG, or PNG if it is transparent, of the same size, with pillow-heif."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError as error:
        raise PhotoError("HEIC photos need pillow-heif (pip install pillow-heif)") from error
    image = to_srgb(open_upright(data))
    out = io.BytesIO()
    if image.mode == "RGBA":
        image.save(out, "PNG", compress_level=1, **resolution(image))
    else:
        image.save(out, "JPEG", quality=95, **resolution(image))
    return out.getvalue()


def open_upright(data: bytes) -> Image.Image:
    """Decode a photo at full size and apply its EXIF orientation.

    Args:
        data: The bytes of an image file.

    Returns:
        The upright image, in the file's own mode.

    Raises:
        PhotoError: If the photo cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return _apply_orientation(image)
    except DECODE_ERRORS as error:
        raise PhotoError(f"cannot decode the photo: {error}") from error


def count_pixels(data: bytes) -> tuple[str | None, int]:
    """Return Pillow's name of a photo's format, and its width times height; (None, 0) if it cannot be decoded."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.format, image.width * image.height
    except DECODE_ERRORS:
        return None, 0


def open_reduced(data: bytes, longest_px: int) -> tuple[Image.Image, tuple[int, int]]:
    """Decode a photo at a reduced size; of a JPEG no more is decoded than the size needs.

    Args:
        data: The bytes of an image file.
        longest_px: Limit for both sides of the returned image, in pixels.

    Returns:
        The upright sRGB image, with alpha if the photo has some, and the upright width and height of the photo itself.

    Raises:
        PhotoError: If the photo cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            # `draft` changes the size, so it is read first.
            photo_wh = image.size
            image.draft("RGB", (longest_px, longest_px))
            image.load()
            upright = _apply_orientation(image)
            # Pillow rotates a TIFF while loading it, so the EXIF tag alone does not tell whether the sides are swapped.
            if upright.size != image.size:
                photo_wh = (photo_wh[1], photo_wh[0])
            if upright.mode in REDUCIBLE_MODES:
                upright.thumbnail((longest_px, longest_px))
            reduced = to_srgb(upright)
    except DECODE_ERRORS as error:
        raise PhotoError(f"cannot decode the photo: {error}") from error
    reduced.thumbnail((longest_px, longest_px))
    return reduced, photo_wh


def resolution(image: Image.Image) -> dict[str, Any]:
    """Return the option of Pillow's encoders that keeps the resolution of an image, in dots per inch."""
    return {"dpi": image.info["dpi"]} if image.info.get("dpi") else {}


def _apply_orientation(image: Image.Image) -> Image.Image:
    """Rotate a photo as its EXIF orientation says; ignore broken EXIF, as the server does."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image.copy()
