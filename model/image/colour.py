"""How a photo is to be shown: in sRGB, whatever its ICC profile, and with its own transparency.

Pillow's ImageCms, which needs Little CMS, is imported only for a photo with an ICC profile.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.image import pixels
from model.image.pixels import Samples

# Colour space of a profile -> the mode that it is applied to. A profile of another space is not the photo's.
MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
GREY_MODES = ("1", "L", "LA", "La")
MAX_DPI = 65535  # of JPEG


def shown_pixels(image: Image.Image, samples: Samples) -> NDArray[np.uint8] | None:
    """Return a photo's pixels as they are to be shown.

    Args:
        image: The image, loaded.
        samples: What is known about its values.

    Returns:
        uint8 (H, W, 3) in sRGB, or (H, W, 4) with alpha; None if `pixels.to_rgb` gives the same.
    """
    has_alpha = image.has_transparency_data and not pixels.is_deep(image)
    to_srgb = _srgb_converter(image)
    if to_srgb is None and not has_alpha:
        return None
    to_eight_bits = pixels.eight_bit_converter(image, samples)
    shown = np.empty((image.height, image.width, 4 if has_alpha else 3), np.uint8)
    for top, strip in pixels.strips(image):
        eight_bits = to_eight_bits(strip)
        rows = shown[top : top + strip.height]
        if has_alpha:
            eight_bits = pixels.to_rgba(eight_bits)
            rows[..., 3] = np.asarray(eight_bits.getchannel("A"))
        rows[..., :3] = np.asarray(to_srgb(eight_bits) if to_srgb else eight_bits.convert("RGB"))
    return shown


def dpi(image: Image.Image) -> tuple[float, float] | None:
    """Return the horizontal and vertical resolution in dots per inch; None if the photo states none that is valid."""
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 1 <= x <= MAX_DPI and 1 <= y <= MAX_DPI else None


def _srgb_converter(image: Image.Image) -> Callable[[Image.Image], Image.Image] | None:
    """Return a function that converts strips to sRGB; None if there is no profile, or none that is of use."""
    data = image.info.get("icc_profile")
    if not data:
        return None
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        mode = MODES.get(profile.profile.xcolor_space, "")
        is_grey = image.mode in GREY_MODES or pixels.is_deep(image)
        if (
            not mode
            or (mode == "L" and not is_grey)
            or (mode == "CMYK") != (image.mode == "CMYK")
            or ImageCms.getProfileDescription(profile).startswith("sRGB")
        ):
            return None
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # a damaged profile does not matter to the pixels
        return None
    return partial(_apply, transform, mode)


def _apply(transform: Any, mode: str, image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    converted = ImageCms.applyTransform(image if image.mode == mode else image.convert(mode), transform)
    assert converted is not None  # it is None only if the image is converted in place
    return converted
