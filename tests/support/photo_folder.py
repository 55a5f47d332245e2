"""Folders of random photos, and the files that the command line writes into them."""

from __future__ import annotations

from pathlib import Path

from tests.support.images import random_image

NAMES = ("a.png", "b.png", "deep/c.png", "deep/er/d.PNG")
MASK_NAMES = {"a-mask.png", "b-mask.png", "deep/c-mask.png", "deep/er/d-mask.png"}


def write_photo(path: Path, seed: int) -> None:
    """Write a random photo, creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random_image(seed))


def list_files(folder: Path) -> set[str]:
    """Return the files in a folder and its subfolders as relative POSIX paths."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
