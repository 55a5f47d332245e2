"""The format of result files: what each output can be stored as."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from ..options import Output
from .image_files import has_image_extension

FileFormat = Literal["png", "jpeg", "webp", "json"]
EXTENSIONS: dict[FileFormat, tuple[str, ...]] = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "webp": (".webp",),
    "json": (".json",),
}


def possible_formats(output: Output, has_background: bool) -> tuple[FileFormat, ...]:
    """Return the formats that can hold an output, the default first.

    The values of masks and probabilities must not change, and JPEG has no transparency.

    Args:
        output: The output.
        has_background: Whether a cutout is drawn on a background.
    """
    if output == "json":
        return ("json",)
    if output == "overlay" or has_background:
        return ("png", "jpeg", "webp")
    return ("png", "webp") if output == "cutout" else ("png",)


def choose_format(out: str | None, output: Output, has_background: bool) -> FileFormat:
    """Return the format of the result files, by the extension of --out.

    Args:
        out: The file or folder of --out.
        output: The output.
        has_background: Whether a cutout is drawn on a background.

    Raises:
        ValueError: If the file's extension names a format that cannot hold the output.
    """
    possible = possible_formats(output, has_background)
    if out is None or not is_result_file(out):
        return possible[0]
    extension = Path(out).suffix.lower()
    for file_format in possible:
        if extension in EXTENSIONS[file_format]:
            return file_format
    allowed = ", ".join(EXTENSIONS[file_format][0] for file_format in possible)
    raise ValueError(f"--output {output} cannot be written as {extension} without loss; use {allowed}")


def is_result_file(out: str) -> bool:
    """Return whether --out names a file: one with the extension of an image or of JSON, that is not a folder."""
    if os.path.isdir(out) or out.endswith(("/", os.sep)):
        return False
    return Path(out).suffix.lower() == ".json" or has_image_extension(Path(out))
