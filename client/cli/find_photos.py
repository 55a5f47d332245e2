"""The search for photos in folders, patterns and file names."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The formats that the function decodes, and HEIC, which the client converts.
PHOTO_EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif", ".gif", ".bmp", ".tif", ".tiff"}
)
# What the client appends to a photo's name: PHOTO-mask.png.
RESULT_SUFFIXES = ("mask", "probability", "overlay", "cutout", "compare")
WILDCARDS = "*?["

log = logging.getLogger("silhouette")


@dataclass(frozen=True)
class SourcePhoto:
    """A photo of the command line.

    Attributes:
        path: The file.
        folder: Folder for its results, relative to --out.
    """

    path: Path
    folder: Path


def find_photos(sources: list[str], excluded: list[Path]) -> list[SourcePhoto]:
    """Return all photos, each once, in a reproducible order.

    Args:
        sources: Files, folders and glob patterns.
        excluded: Files and folders to ignore in folders and patterns, because this command writes them.

    Returns:
        The photos, without the results of earlier runs.
    """
    files = [Path(source) for source in sources if not is_pattern(source) and not os.path.isdir(source)]
    common_folder = Path(os.path.commonpath([_absolute(path).parent for path in files])) if files else Path()
    excluded_paths = {os.path.abspath(path) for path in excluded}
    photos: dict[str, SourcePhoto] = {}
    for source in sources:
        for photo in _expand(source, common_folder, excluded_paths, is_only=len(sources) == 1):
            photos.setdefault(os.path.abspath(photo.path), photo)
    return _without_results(list(photos.values()))


def _expand(source: str, common_folder: Path, excluded: set[str], is_only: bool) -> Iterator[SourcePhoto]:
    """Yield the photos of one argument.

    Args:
        source: The argument.
        common_folder: The deepest folder that contains all photos that are named one by one.
        excluded: Absolute paths to ignore.
        is_only: Whether it is the only argument; one folder of several keeps its name under --out.
    """
    if os.path.isdir(source):
        top = Path(source)
        parent = Path() if is_only else Path(top.resolve().name)
        for path in _walk(top, excluded):
            yield SourcePhoto(path, parent / path.parent.relative_to(top))
    elif is_pattern(source):
        base = _base_folder(source)
        for match in sorted(glob.glob(source, recursive=True)):
            path = Path(match)
            if is_photo(path) and not _is_excluded(path, base, excluded) and path.is_file():
                yield SourcePhoto(path, path.parent.relative_to(base))
    else:
        # A file that is named explicitly may have any extension. If it is missing, processing it reports that.
        yield SourcePhoto(Path(source), _absolute(Path(source)).parent.relative_to(common_folder))


def _walk(top: Path, excluded: set[str]) -> Iterator[Path]:
    """Yield the photos in a folder and its subfolders."""

    def warn(error: OSError) -> None:
        log.warning("cannot read the folder %s: %s", error.filename, (error.strerror or "").lower())

    for folder, subfolders, names in os.walk(top, onerror=warn):
        subfolders[:] = sorted(
            name for name in subfolders if os.path.abspath(os.path.join(folder, name)) not in excluded
        )
        for path in (Path(folder, name) for name in sorted(names)):
            if is_photo(path) and os.path.abspath(path) not in excluded:
                yield path


def is_photo(path: Path) -> bool:
    """Return whether a file is a photo by its extension; hidden files, such as macOS's "._" files, are not."""
    return path.suffix.lower() in PHOTO_EXTENSIONS and not path.name.startswith(".")


def is_pattern(source: str) -> bool:
    """Return whether an argument is a glob pattern; an existing file with wildcards in its name is not."""
    return any(letter in source for letter in WILDCARDS) and not os.path.lexists(source)


def _base_folder(pattern: str) -> Path:
    """Return the folders of a pattern before its first wildcard."""
    parts: list[str] = []
    for part in Path(pattern).parent.parts:
        if any(letter in part for letter in WILDCARDS):
            break
        parts.append(part)
    return Path(*parts)


def _is_excluded(path: Path, base: Path, excluded: set[str]) -> bool:
    """Return whether a match, or one of its folders below the base folder, is excluded."""
    below_base = [path, *path.parents][: len(path.relative_to(base).parts)]
    return any(os.path.abspath(each) in excluded for each in below_base)


def _absolute(path: Path) -> Path:
    """Return the absolute path without ".." in it; unlike Path.resolve, keep symbolic links."""
    return Path(os.path.abspath(path))


def _without_results(photos: list[SourcePhoto]) -> list[SourcePhoto]:
    """Drop the results of other photos in the list, so that no mask of a mask is made."""
    paths = [_absolute(photo.path) for photo in photos]
    originals = {path.with_suffix("") for path in paths} | set(paths)
    return [photo for photo, path in zip(photos, paths, strict=True) if _original_of(path) not in originals]


def _original_of(path: Path) -> Path | None:
    """Return the photo (with or without extension) whose result a file is by its name, or None."""
    stem, dash, suffix = path.stem.rpartition("-")
    is_result = path.suffix == ".png" and dash and stem and suffix in RESULT_SUFFIXES
    return path.with_name(stem) if is_result else None
