"""The format of result files: what each output can be stored as."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from ..options import Output, OutputFormat
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


def choose_format(out: str | None, requested: OutputFormat | None, output: Output, has_background: bool) -> FileFormat:
    """Return the format of the result files, by --format or the extension of --out.

    Args:
        out: The file or folder of --out.
        requested: The format of --format.
        output: The output.
        has_background: Whether a cutout is drawn on a background.

    Raises:
        ValueError: If the format cannot hold the output, or the file's extension names another one.
    """
    possible = possible_formats(output, has_background)
    allowed = ", ".join(EXTENSIONS[file_format][0] for file_format in possible)
    if requested is not None and requested not in possible:
        raise ValueError(f"--output {output} cannot be written as {requested} without loss; use {allowed}")
    if out is None or not is_result_file(out):
        return requested or possible[0]
    extension = Path(out).suffix.lower()
    for file_format in possible:
        if extension in EXTENSIONS[file_format]:
            if requested not in (None, file_format):
                raise ValueError(f"the extension {extension} contradicts --format {requested}")
            return file_format
    raise ValueError(f"--output {output} cannot be written as {extension} without loss; use {allowed}")


def is_result_file(out: str) -> bool:
    """Return whether --out names a file: one with the extension of an image or of JSON, that is not a folder."""
    if os.path.isdir(out) or out.endswith(("/", os.sep)):
        return False
    return Path(out).suffix.lower() == ".json" or has_image_extension(Path(out))
