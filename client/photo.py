"""The caller's photo, in whatever form it comes, as the bytes to send."""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from client.errors import PhotoError

Photo = str | Path | bytes | Image.Image | NDArray[Any]

# Modes that PNG holds as they are; the rest becomes RGB first.
PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
# What Pillow raises over a file it cannot read: decoders meet broken data with whatever they happen to raise.
UNREADABLE = (Exception,)
# The `ftyp` brands of HEIC, which the server's Pillow does not read. AVIF, its sibling, it does.
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def to_bytes(photo: Photo) -> bytes:
    """Yield the bytes of a photo.

    photo: a path; the bytes of a picture file; a Pillow image; or uint8 (H, W), (H, W, 3) RGB or (H, W, 4) RGBA.
        An image or an array is sent as its pixels lie, so that the mask lies over them.
    raises: PhotoError
    """
    if isinstance(photo, np.ndarray):
        return encode(from_array(photo))
    if isinstance(photo, Image.Image):
        return encode(photo)
    data = photo if isinstance(photo, bytes) else read_file(photo)
    return from_heic(data) if is_heic(data) else data


def read_file(path: str | Path) -> bytes:
    """Read a file, or say in words why it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PhotoError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def from_array(pixels: NDArray[Any]) -> Image.Image:
    """Make a Pillow image of an array."""
    fits = pixels.dtype == np.uint8 and pixels.size > 0
    if not fits or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise PhotoError(
            f"an array must be uint8 (H, W), (H, W, 3) or (H, W, 4); this is {pixels.dtype} {pixels.shape}"
        )
    return Image.fromarray(pixels)


def encode(image: Image.Image) -> bytes:
    """Encode a Pillow image as PNG, as its pixels lie: without EXIF, which would have the server turn it."""
    try:
        kept = image if image.mode in PNG_MODES else image.convert("RGB")
        out = io.BytesIO()
        kept.save(out, "PNG", compress_level=1, exif=b"")
    except (OSError, ValueError) as error:
        raise PhotoError(f"the image cannot be encoded: {error}") from error
    return out.getvalue()


def is_heic(data: bytes) -> bool:
    """Tell HEIC by its first box."""
    return data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS and b"avif" not in data[16:64]


def from_heic(data: bytes) -> bytes:
    """Turn HEIC into a JPEG of the same upright size, with pillow-heif where it is installed."""
    register_heic()
    out = io.BytesIO()
    to_rgb(open_upright(data)).save(out, "JPEG", quality=95)
    return out.getvalue()


def register_heic() -> None:
    """Teach Pillow to read HEIC.

    raises: PhotoError
    """
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError as error:
        raise PhotoError("this is a HEIC photo; to send it: pip install pillow-heif") from error


def open_upright(data: bytes) -> Image.Image:
    """Decode a photo in full and turn it upright.

    raises: PhotoError
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return turned_upright(image)
    except UNREADABLE as error:
        raise PhotoError(f"the photo cannot be opened here: {error}") from error


def open_small(data: bytes, longest_px: int) -> tuple[Image.Image, tuple[int, int]]:
    """Decode a photo no further than a small picture of it needs.

    returns: the picture, upright, RGB, no side longer than longest_px; and the upright size of the photo itself
    raises: PhotoError
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            # The size is read before `draft`, which changes it.
            photo_wh = image.size
            image.draft("RGB", (longest_px, longest_px))
            image.load()
            upright = turned_upright(image)
            # Of a TIFF Pillow has turned both size and pixels by now, so the tag alone would mislead.
            if upright.size != image.size:
                photo_wh = (photo_wh[1], photo_wh[0])
            small = to_rgb(upright)
    except UNREADABLE as error:
        raise PhotoError(f"the photo cannot be opened here: {error}") from error
    small.thumbnail((longest_px, longest_px))
    return small, photo_wh


def turned_upright(image: Image.Image) -> Image.Image:
    """Turn a photo as its EXIF says; where the EXIF is broken, leave it as it lies, as the server does."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image.copy()


def to_rgb(image: Image.Image) -> Image.Image:
    """Make any picture 8-bit RGB; 16-bit grey is scaled, since Pillow's own conversion clips it."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) // 256).clip(0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
