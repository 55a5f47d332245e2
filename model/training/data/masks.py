"""Mask files in their three formats, read as class ids."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.training.cli import CommandError

FORMATS = ("auto", "trimap", "binary", "ids")
FORMATS_HELP = """format of the masks: "trimap" (1 object, 2 background, 3 unlabelled), "binary" (black background,
white object) or "ids" (class ids from 0, 255 unlabelled); "auto" chooses by the values: binary if they are only black
and white, trimap if they are only 1, 2 and 3, otherwise ids"""
UNLABELLED = 255  # the class id of pixels that have no label

ClassIds = NDArray[np.uint8]


def detect_format(files: Iterable[Path]) -> str:
    """Return the format of masks by their values, as FORMATS_HELP says. Files that cannot be read are ignored.

    Raises:
        CommandError: If the masks look like shades of grey.
    """
    values: set[int] = set()
    for file in files:
        try:
            values |= set(np.unique(read_values(file)).tolist())
        except (OSError, ValueError, SyntaxError):
            continue  # reading the pair reports it
    if values <= {0, 255}:
        return "binary"
    if values <= {1, 2, 3}:
        return "trimap"
    if len(values) > 64 and UNLABELLED in values:
        raise CommandError(f"the masks have {len(values)} values, which look like shades of grey; add --kind")
    return "ids"


def to_class_ids(values: ClassIds, mask_format: str) -> ClassIds:
    """Return a mask's values as class ids.

    Args:
        values: uint8 (H, W), as stored.
        mask_format: One of FORMATS except "auto".

    Returns:
        uint8 (H, W), UNLABELLED where the mask has no label.

    Raises:
        ValueError: If the format does not have one of the values.
    """
    if mask_format == "binary":
        return (values >= 128).view(np.uint8)
    if mask_format == "trimap":
        if not 1 <= values.min() <= values.max() <= 3:
            raise ValueError(f"a trimap has the values 1, 2 and 3, not {values.min()} to {values.max()}")
        return np.array([0, 1, 0, UNLABELLED], np.uint8)[values]
    return values


def read_values(file: Path) -> ClassIds:
    """Return a mask's values as stored: grey levels, black and white as 0 and 255, or palette indices.

    Raises:
        OSError: If the file cannot be read.
        SyntaxError: If it is an invalid PNG; Pillow raises this.
        ValueError: If it does not have one channel of 8 bits.
    """
    with Image.open(file) as image:
        if image.mode == "1":
            return np.asarray(image.convert("L"))
        if image.mode in ("L", "P"):
            return np.asarray(image)
        if image.mode in ("RGB", "RGBA", "LA"):
            channels = np.asarray(image.convert("RGB"))
            if (channels == channels[..., :1]).all():
                return np.ascontiguousarray(channels[..., 0])
        raise ValueError(f"the mask has mode {image.mode}; a mask must have one channel of 8 bits")
