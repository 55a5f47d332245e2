"""Finding the photos that folders, patterns and names stand for."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# What the function reads, and HEIC, which the client makes a JPEG of.
ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif", ".gif", ".bmp", ".tif", ".tiff"}
)
# What this client itself adds to a photo's name.
KINDS = ("mask", "probability", "overlay", "cutout", "compare")
WILDCARDS = "*?["

log = logging.getLogger("silhouette")


@dataclass(frozen=True)
class Found:
    """Hold a photo, and the folder its results go to under --out."""

    path: Path
    folder: Path


def find_photos(sources: list[str], avoid: list[Path]) -> list[Found]:
    """Find all photos, each once, in an order that is the same every time.

    avoid: files and folders to leave out of folders and patterns, since this command writes them
    """
    named = [Path(source) for source in sources if not is_pattern(source) and not os.path.isdir(source)]
    shared = Path(os.path.commonpath([absolute(path).parent for path in named])) if named else Path()
    avoided = {os.path.abspath(path) for path in avoid}
    found: dict[str, Found] = {}
    for source in sources:
        for photo in expand(source, shared, avoided, alone=len(sources) == 1):
            found.setdefault(os.path.abspath(photo.path), photo)
    return without_results(list(found.values()))


def expand(source: str, shared: Path, avoided: set[str], alone: bool) -> Iterator[Found]:
    """Yield what one argument stands for.

    shared: the folder above all photos that are named one by one
    alone: whether it is the only argument; a folder among others keeps its name under --out
    """
    if os.path.isdir(source):
        top = Path(source)
        above = Path() if alone else Path(top.resolve().name)
        for path in walk(top, avoided):
            yield Found(path, above / path.parent.relative_to(top))
    elif is_pattern(source):
        fixed = fixed_part(source)
        for match in sorted(glob.glob(source, recursive=True)):
            path = Path(match)
            if is_photo(path) and not is_under(path, fixed, avoided) and path.is_file():
                yield Found(path, path.parent.relative_to(fixed))
    else:
        # Named outright, so it is taken whatever it is called; if it is not there, that is said in its turn.
        yield Found(Path(source), absolute(Path(source)).parent.relative_to(shared))


def walk(top: Path, avoided: set[str]) -> Iterator[Path]:
    """Yield the photos in a folder and in the folders below it."""

    def complain(error: OSError) -> None:
        log.warning("%s cannot be looked into: %s", error.filename, (error.strerror or "").lower())

    for folder, below, names in os.walk(top, onerror=complain):
        below[:] = sorted(name for name in below if os.path.abspath(os.path.join(folder, name)) not in avoided)
        for path in (Path(folder, name) for name in sorted(names)):
            if is_photo(path) and os.path.abspath(path) not in avoided:
                yield path


def is_photo(path: Path) -> bool:
    """Tell a photo by its name; hidden files, such as the "._" companions that macOS leaves, are none."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def is_pattern(source: str) -> bool:
    """Tell a pattern from a name; a file that is called like a pattern is a file."""
    return any(letter in source for letter in WILDCARDS) and not os.path.lexists(source)


def fixed_part(pattern: str) -> Path:
    """Give the folders of a pattern before its first wildcard."""
    fixed: list[str] = []
    for part in Path(pattern).parent.parts:
        if any(letter in part for letter in WILDCARDS):
            break
        fixed.append(part)
    return Path(*fixed)


def is_under(path: Path, fixed: Path, avoided: set[str]) -> bool:
    """Tell whether a match, or a folder it lies in below the fixed part of its pattern, is to be left out."""
    inner = [path, *path.parents][: len(path.relative_to(fixed).parts)]
    return any(os.path.abspath(each) in avoided for each in inner)


def absolute(path: Path) -> Path:
    """Give the whole path, with no ".." in it."""
    return Path(os.path.abspath(path))


def without_results(photos: list[Found]) -> list[Found]:
    """Leave out what an earlier run made of another photo of the list: the mask of a mask is never meant."""
    paths = [absolute(photo.path) for photo in photos]
    others = {path.with_suffix("") for path in paths} | set(paths)
    return [photo for photo, path in zip(photos, paths, strict=True) if made_of(path) not in others]


def made_of(path: Path) -> Path | None:
    """Name the photo, with or without its ending, that a file looks like a result of."""
    stem, dash, kind = path.stem.rpartition("-")
    made = path.suffix == ".png" and dash and stem and kind in KINDS
    return path.with_name(stem) if made else None
