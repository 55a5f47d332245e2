"""The jobs of a command line: which photos, and where their results go."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from pathlib import Path

from .argument_checks import STDIN, STDOUT
from .arguments import CliOptions
from .contact_sheet import check_sheets, existing_sheets
from .file_format import EXTENSIONS, is_result_file
from .find_photos import SourcePhoto, find_photos, is_pattern
from .image_files import has_image_extension
from .job import FileJob
from .origin import path_hash

LONGEST_NAME_BYTES = 255  # on most file systems


class UsageError(Exception):
    """The command line cannot be carried out, for a reason that the argument parser does not see."""


def is_batch(sources: list[str]) -> bool:
    """Return whether the arguments select a batch: a folder, a pattern or several photos, however many there are."""
    return len(sources) > 1 or (sources[0] != STDIN and (os.path.isdir(sources[0]) or is_pattern(sources[0])))


def plan_single(options: CliOptions) -> FileJob:
    """Return the job of a command line with a single photo.

    Raises:
        UsageError: If --compare names a file without an image extension, --contact-sheet the file of something else, or
            two of them the same file.
    """
    [source] = options.sources
    photo = None if source == STDIN else Path(source)
    _check_contact_sheet(options, photos=1)
    job = FileJob(photo, _single_destination(options, photo), _single_comparison(options, photo))
    written = [os.path.abspath(path) for path in (job.destination, job.compare, options.contact_sheet) if path]
    if len(set(written)) < len(written):
        raise UsageError("--out, --compare and --contact-sheet must be different files")
    return job


def _single_destination(options: CliOptions, photo: Path | None) -> Path | None:
    """Return where the result of a single photo goes; None is standard output."""
    out = options.out
    if out == STDOUT:
        return None
    name = _result_name(photo.stem if photo else "photo", _suffix(options), _extension(options))
    if out is None:
        return photo.with_name(name) if photo else Path(name)
    return Path(out) if is_result_file(out) else Path(out) / name


def _single_comparison(options: CliOptions, photo: Path | None) -> Path | None:
    """Return where the comparison image of a single photo goes, if one is requested."""
    if options.compare and options.compare.is_dir():
        return options.compare / _result_name(photo.stem if photo else "photo", "compare", ".png")
    if options.compare and not has_image_extension(options.compare):
        raise UsageError(f"--compare writes an image, but {options.compare} has no image file extension, such as .png")
    return options.compare


def plan_batch(options: CliOptions) -> list[FileJob]:
    """Return the jobs of a batch.

    Raises:
        UsageError: If --out or --compare is a file, or --contact-sheet the file of something else.
    """
    if options.out is not None:
        _check_folder(options.out, "--out")
    if options.compare is not None:
        _check_folder(str(options.compare), "--compare")
    photos = find_photos(options.sources, _written_paths(options), options.follow_links)
    _check_contact_sheet(options, len(photos))
    # The first names that no other photo's files have: short ones, ones with the photo's extension, unique ones.
    jobs = [_batch_job(options, photo, photo.path.stem) for photo in photos]
    for name in (_full_name, _unique_name):
        taken = Counter(key for job in jobs for key in _file_keys(job))
        jobs = [
            _batch_job(options, photo, name(photo)) if any(taken[key] > 1 for key in _file_keys(job)) else job
            for photo, job in zip(photos, jobs, strict=True)
        ]
    return jobs


def plan_comparison(options: CliOptions) -> list[FileJob]:
    """Return the jobs of a comparison of two functions, which write no files.

    Raises:
        UsageError: If --contact-sheet is the file of something else.
    """
    _check_contact_sheet(options, photos=1)
    photos = find_photos(options.sources, _written_paths(options), options.follow_links)
    return [FileJob(photo.path, None, refusal=_refusal(photo)) for photo in photos]


def _batch_job(options: CliOptions, photo: SourcePhoto, name: str) -> FileJob:
    """Return the job of a photo, with a name for its output files."""
    folder = photo.path.parent if options.out is None else Path(options.out) / photo.folder
    destination = folder / _result_name(name, _suffix(options), _extension(options))
    compare = options.compare and options.compare / photo.folder / _result_name(name, "compare", ".png")
    return FileJob(photo.path, destination, compare, _refusal(photo))


def _refusal(photo: SourcePhoto) -> str | None:
    """Return why a photo cannot be processed; None if there is no reason."""
    return "not a regular file" if photo.path.exists() and not photo.path.is_file() else None


def _full_name(photo: SourcePhoto) -> str:
    return photo.path.name


def _unique_name(photo: SourcePhoto) -> str:
    return f"{photo.path.name}-{path_hash(photo.path)[:8]}"


def _file_keys(job: FileJob) -> list[str]:
    """Return the output files of a job as most disks compare them: without case, and with composed letters."""
    paths = [path for path in (job.destination, job.compare) if path is not None]
    return [unicodedata.normalize("NFC", str(path)).casefold() for path in paths]


def _result_name(name: str, suffix: str, extension: str) -> str:
    """Return the name of an output file; one that would exceed the limit is cut, and a checksum keeps it unique."""
    result = f"{name}-{suffix}{extension}"
    if len(os.fsencode(result)) <= LONGEST_NAME_BYTES:
        return result
    ending = f"-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}-{suffix}{extension}"
    while len(os.fsencode(name + ending)) > LONGEST_NAME_BYTES:
        name = name[:-1]
    return name + ending


def _check_folder(path: str, option: str) -> None:
    """Raise UsageError for a path that is, or looks like, a file."""
    if path == STDOUT or os.path.isfile(path) or is_result_file(path):
        raise UsageError(f"{option} must be a folder for several photos, but {path} is a file")


def _check_contact_sheet(options: CliOptions, photos: int) -> None:
    """Raise UsageError if a contact sheet would replace another file."""
    if options.contact_sheet is not None and not options.force:
        try:
            check_sheets(options.contact_sheet, photos)
        except FileExistsError as error:
            raise UsageError(str(error)) from error


def _written_paths(options: CliOptions) -> list[Path]:
    """Return the files and folders that the command writes."""
    sheets = existing_sheets(options.contact_sheet) if options.contact_sheet else []
    return [Path(path) for path in (options.out, options.compare, *sheets) if path is not None]


def _suffix(options: CliOptions) -> str:
    """Return what follows the photo's name in the name of its result; JSON describes the mask."""
    return "mask" if options.segment.output == "json" else options.segment.output


def _extension(options: CliOptions) -> str:
    return EXTENSIONS[options.file_format][0]
