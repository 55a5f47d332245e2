"""The jobs of a command line: which photos, and where their results go."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from .arguments import STDIN, STDOUT, CliOptions
from .contact_sheet import existing_sheets
from .find_photos import PHOTO_EXTENSIONS, SourcePhoto, find_photos, is_pattern
from .image_files import has_image_extension
from .job import FileJob


class UsageError(Exception):
    """The command line cannot be carried out, for a reason that the argument parser does not see."""


def is_batch(sources: list[str]) -> bool:
    """Return whether the arguments select a batch: a folder, a pattern or several photos, however many there are."""
    return len(sources) > 1 or (sources[0] != STDIN and (os.path.isdir(sources[0]) or is_pattern(sources[0])))


def plan_single(options: CliOptions) -> FileJob:
    """Return the job of a command line with a single photo.

    Raises:
        UsageError: If --compare names a file without an image extension.
    """
    [source] = options.sources
    photo = None if source == STDIN else Path(source)
    return FileJob(photo, _single_destination(options, photo), _single_comparison(options, photo))


def _single_destination(options: CliOptions, photo: Path | None) -> Path | None:
    """Return where the result of a single photo goes; None is standard output."""
    out = options.out
    if out == STDOUT:
        return None
    name = f"{photo.stem if photo else 'photo'}-{_suffix(options)}{_extension(options)}"
    if out is None:
        return photo.with_name(name) if photo else Path(name)
    is_folder = os.path.isdir(out) or out.endswith(("/", os.sep)) or not Path(out).suffix
    return Path(out) / name if is_folder else Path(out)


def _single_comparison(options: CliOptions, photo: Path | None) -> Path | None:
    """Return where the comparison image of a single photo goes, if one is requested."""
    if options.compare and options.compare.is_dir():
        return options.compare / f"{photo.stem if photo else 'photo'}-compare.png"
    if options.compare and not has_image_extension(options.compare):
        raise UsageError(f"--compare writes an image, but {options.compare} has no image file extension, such as .png")
    return options.compare


def plan_batch(options: CliOptions) -> list[FileJob]:
    """Return the jobs of a batch.

    Raises:
        UsageError: If --out or --compare is a file, or two photos would have the same result file.
    """
    if options.out is not None:
        _check_folder(options.out, "--out")
    if options.compare is not None:
        _check_folder(str(options.compare), "--compare")
    photos = find_photos(options.sources, _written_paths(options))
    jobs = []
    for photo, name in zip(photos, _distinct_names(photos, options), strict=True):
        folder = photo.path.parent if options.out is None else Path(options.out) / photo.folder
        compare = options.compare and options.compare / photo.folder / f"{name}-compare.png"
        jobs.append(FileJob(photo.path, folder / f"{name}-{_suffix(options)}{_extension(options)}", compare))
    _check_distinct(jobs)
    return jobs


def _check_folder(path: str, option: str) -> None:
    """Raise UsageError for a path that is, or looks like, a file."""
    if path == STDOUT or os.path.isfile(path) or Path(path).suffix.lower() in {*PHOTO_EXTENSIONS, ".json"}:
        raise UsageError(f"{option} must be a folder for several photos, but {path} is a file")


def _written_paths(options: CliOptions) -> list[Path]:
    """Return the files and folders that the command writes."""
    sheets = existing_sheets(options.contact_sheet) if options.contact_sheet else []
    return [Path(path) for path in (options.out, options.compare, *sheets) if path is not None]


def _suffix(options: CliOptions) -> str:
    """Return what follows the photo's name in the name of its result; JSON describes the mask."""
    return "mask" if options.segment.output == "json" else options.segment.output


def _extension(options: CliOptions) -> str:
    return ".json" if options.segment.output == "json" else ".png"


def _distinct_names(photos: list[SourcePhoto], options: CliOptions) -> list[str]:
    """Return the start of each result's name: the photo's stem, or its full name if the stem is not unique."""
    # Many file systems ignore case.
    stems = [
        str((photo.path.parent if options.out is None else photo.folder) / photo.path.stem).casefold()
        for photo in photos
    ]
    count = Counter(stems)
    return [photo.path.name if count[stem] > 1 else photo.path.stem for photo, stem in zip(photos, stems, strict=True)]


def _check_distinct(jobs: list[FileJob]) -> None:
    """Raise UsageError if two photos would have the same result file."""
    jobs_by_destination: dict[str, FileJob] = {}
    for job in jobs:
        other = jobs_by_destination.setdefault(str(job.destination), job)
        if other is not job:
            raise UsageError(f"{other.name} and {job.name} would both be written to {job.destination}")
