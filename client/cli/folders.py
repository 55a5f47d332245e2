"""Files in folders and of glob patterns, in a reproducible order, without following links in circles."""

from __future__ import annotations

import fnmatch
import logging
import os
from collections.abc import Iterator
from pathlib import Path

WILDCARDS = "*?["

log = logging.getLogger("silhouette")


def walk_folders(top: Path, follow_links: bool) -> Iterator[tuple[Path, list[str]]]:
    """Yield a folder and its subfolders, each once, with the names of the other files in it.

    Args:
        top: The folder.
        follow_links: Whether to descend into folders that are symbolic links; otherwise each is logged.
    """
    seen = {os.path.realpath(top)}

    def is_new(path: str) -> bool:
        if os.path.islink(path):
            if not follow_links:
                log.warning("the folder %s is a symbolic link and is not searched; use --follow-links", path)
                return False
            if os.path.realpath(path) in seen:
                return False
        seen.add(os.path.realpath(path))
        return True

    def warn(error: OSError) -> None:
        log.warning("cannot read the folder %s: %s", error.filename, (error.strerror or "").lower())

    for folder, subfolders, names in os.walk(top, onerror=warn, followlinks=follow_links):
        subfolders[:] = [name for name in sorted(subfolders) if is_new(os.path.join(folder, name))]
        yield Path(folder), sorted(names)


def has_wildcards(part: str) -> bool:
    """Return whether a part of a path has characters that are special in patterns."""
    return any(letter in part for letter in WILDCARDS)


def split_pattern(pattern: str) -> tuple[Path, tuple[str, ...]]:
    """Return the folder before the first part of a pattern that has wildcards, and the parts from there.

    A part that exists by that very name, such as a folder named "photos [2024]", is not a wildcard.
    """
    parts = Path(pattern).parts
    for index, part in enumerate(parts):
        if has_wildcards(part) and not os.path.lexists(Path(*parts[: index + 1])):
            return Path(*parts[:index]), parts[index:]
    return Path(pattern), ()


def match_pattern(folder: Path, parts: tuple[str, ...], follow_links: bool) -> Iterator[Path]:
    """Yield the files that match a pattern; like a shell, wildcards match no hidden names.

    Args:
        folder: The folder in which the pattern begins.
        parts: The parts of the pattern; "**" stands for any number of folders.
        follow_links: Whether "**" descends into folders that are symbolic links.
    """
    if not parts:
        if os.path.lexists(folder):
            yield folder
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        for below, _ in walk_folders(folder, follow_links):
            if not any(name.startswith(".") for name in below.relative_to(folder).parts):
                yield from match_pattern(below, rest or ("*",), follow_links)
    elif not has_wildcards(part) or os.path.lexists(folder / part):
        yield from match_pattern(folder / part, rest, follow_links)
    elif folder.is_dir():
        for name in _matching_names(folder, part):
            yield from match_pattern(folder / name, rest, follow_links)


def _matching_names(folder: Path, part: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(name for name in fnmatch.filter(names, part) if part.startswith(".") or not name.startswith("."))
