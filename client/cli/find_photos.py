"""The search for photos in folders, patterns and file names."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .folders import match_pattern, split_pattern, walk_folders
from .origin import read_origin

# The formats that the function decodes, and HEIC, which the client converts.
PHOTO_EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif", ".gif", ".bmp", ".tif", ".tiff"}
)
# What the client appends to a photo's name: PHOTO-mask.png.
RESULT_SUFFIXES = ("mask", "probability", "overlay", "cutout", "compare")

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


def find_photos(sources: list[str], excluded: list[Path], follow_links: bool = False) -> list[SourcePhoto]:
    """Return all photos, each once, in a reproducible order.

    Args:
        sources: Files, folders and glob patterns.
        excluded: Files and folders to ignore in folders and patterns, because this command writes them.
        follow_links: Whether to search folders that are symbolic links.

    Returns:
        The photos, without the results of earlier runs.
    """
    files = [Path(source) for source in sources if not is_pattern(source) and not os.path.isdir(source)]
    common_folder = Path(os.path.commonpath([_absolute(path).parent for path in files])) if files else Path()
    excluded_paths = {os.path.abspath(path) for path in excluded}
    photos: dict[str, SourcePhoto] = {}
    for source in sources:
        parent = Path() if len(sources) == 1 else Path(Path(source).resolve().name)
        for photo in _expand(source, common_folder, parent, excluded_paths, follow_links):
            photos.setdefault(os.path.join(os.path.realpath(photo.path.parent), photo.path.name), photo)
    return _without_results(list(photos.values()))


def _expand(
    source: str, common_folder: Path, parent: Path, excluded: set[str], follow_links: bool
) -> Iterator[SourcePhoto]:
    """Yield the photos of one argument.

    Args:
        source: The argument.
        common_folder: The deepest folder that contains all photos that are named one by one.
        parent: Where a folder goes under --out; one of several keeps its name.
        excluded: Absolute paths to ignore.
        follow_links: Whether to search folders that are symbolic links.
    """
    if os.path.isdir(source):
        top = Path(source)
        for path in _walk(top, excluded, follow_links):
            yield SourcePhoto(path, parent / path.parent.relative_to(top))
    elif is_pattern(source):
        base, parts = split_pattern(source)
        for path in match_pattern(base, parts, follow_links):
            if not _is_excluded(path, base, excluded) and _is_usable(path):
                yield SourcePhoto(path, path.parent.relative_to(base))
    else:
        # A file that is named explicitly may have any extension. If it is missing, processing it reports that.
        yield SourcePhoto(Path(source), _absolute(Path(source)).parent.relative_to(common_folder))


def _walk(top: Path, excluded: set[str], follow_links: bool) -> Iterator[Path]:
    """Yield the photos in a folder and its subfolders."""
    for folder, names in walk_folders(top, follow_links):
        if not _is_excluded(folder, top, excluded):
            for path in (folder / name for name in names):
                if os.path.abspath(path) not in excluded and _is_usable(path):
                    yield path


def _is_usable(path: Path) -> bool:
    """Return whether a file in a folder is a photo and not the result of one; log devices and pipes."""
    if not is_photo(path):
        return False
    if path.stem.endswith(tuple(f"-{suffix}" for suffix in RESULT_SUFFIXES)) and read_origin(path) is not None:
        return False
    if path.exists() and not path.is_file():
        if not path.is_dir():
            log.warning("%s is not a regular file and is ignored", path)
        return False
    return True  # a link to a missing file is reported when it is read


def is_photo(path: Path) -> bool:
    """Return whether a file is a photo by its extension; hidden files, such as macOS's "._" files, are not."""
    return path.suffix.lower() in PHOTO_EXTENSIONS and not path.name.startswith(".")


def is_pattern(source: str) -> bool:
    """Return whether an argument is a glob pattern; existing files and folders may have wildcards in their names."""
    return bool(split_pattern(source)[1])


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
