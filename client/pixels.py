"""Pixels: images of any mode converted to 8-bit RGB, by the rules of the server, and colours converted to sRGB."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

# Modes that PNG can store and the server reads with these values; others are converted first.
PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
# The modes in which a colour profile of each colour space is applied.
PROFILE_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}


def is_deep(image: Image.Image) -> bool:
    """Return whether an image is grey with more than 8 bits per pixel."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def deep_to_grey(image: Image.Image) -> Image.Image:
    """Convert a grey image of more than 8 bits to 8 bits, as the server does.

    Values from 0 to between 256 and 65535 have 16 bits: 0 is black and 65535 is white. Other values are stretched, so
    that the lowest is black and the highest is white. Values that are not finite count as 0.

    Args:
        image: An image for which is_deep is true.

    Returns:
        The image, mode "L".
    """
    values = np.nan_to_num(np.asarray(image).astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and 255 < high <= 65535:
        low, high = 0.0, 65535.0
    scale = 255.0 / ((high - low) or 1.0)
    return Image.fromarray(((values - low) * scale).clip(0, 255).round().astype(np.uint8))


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to 8-bit RGB, on white where it is transparent."""
    if is_deep(image):
        return deep_to_grey(image).convert("RGB")
    if not has_alpha(image):
        return _convert_lab(image) if image.mode == "LAB" else image.convert("RGB")
    rgba = to_rgba(image)
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def to_rgba(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to 8-bit RGB with alpha."""
    if not has_alpha(image):
        return to_rgb(image).convert("RGBA")
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


def has_alpha(image: Image.Image) -> bool:
    """Return whether an image can have transparent pixels."""
    return bool(image.has_transparency_data)


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert an image to 8-bit sRGB, keeping its alpha and its resolution.

    Args:
        image: An image, with its colour profile in `info` if it has one; a profile that cannot be used is ignored.

    Returns:
        The image, mode "RGBA" if it can have transparent pixels, else "RGB", without a profile.
    """
    alpha = to_rgba(image).getchannel("A") if has_alpha(image) else None
    colours = _apply_profile(image) or (to_rgb(image) if alpha is None else to_rgba(image).convert("RGB"))
    if alpha is not None:
        colours.putalpha(alpha)
    colours.info = {"dpi": image.info["dpi"]} if "dpi" in image.info else {}
    return colours


def _apply_profile(image: Image.Image) -> Image.Image | None:
    """Convert the colours of an image by its profile; None if it has none that can be used."""
    data = image.info.get("icc_profile")
    if not data or is_deep(image) or image.mode == "LAB":
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        mode = PROFILE_MODES[profile.profile.xcolor_space.strip()]
        if (mode == "CMYK") != (image.mode == "CMYK"):
            return None
        opaque = to_rgba(image).convert("RGB") if has_alpha(image) else image
        colours = opaque if opaque.mode == mode else opaque.convert("RGB").convert(mode)
        converted = ImageCms.profileToProfile(colours, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, KeyError, OSError, TypeError, ValueError):
        return None
    return converted


def _convert_lab(image: Image.Image) -> Image.Image:
    """Convert CIELAB, for which Pillow has no conversion of its own, to sRGB."""
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
