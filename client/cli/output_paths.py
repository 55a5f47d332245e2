"""Which photos are meant, and where the results of each go."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from client.cli.arguments import STDIN, STDOUT, Options
from client.cli.comparison import is_picture_name
from client.cli.contact_sheet import sheet_paths
from client.cli.find_photos import ENDINGS, Found, find_photos, is_pattern
from client.cli.task import Job


class PlanError(Exception):
    """Say in one sentence why what the command asks for cannot be done."""


def is_for_many(sources: list[str]) -> bool:
    """Tell whether a command is about several photos, by its form and not by how many there happen to be."""
    return len(sources) > 1 or (sources[0] != STDIN and (os.path.isdir(sources[0]) or is_pattern(sources[0])))


def plan_one(options: Options) -> Job:
    """Plan the one photo of a command about one.

    raises: PlanError
    """
    [source] = options.sources
    photo = None if source == STDIN else Path(source)
    return Job(photo, one_place(options.out, photo, result_kind(options), ending(options)), one_compare(options, photo))


def one_place(out: str | None, photo: Path | None, kind: str, ending: str) -> Path | None:
    """Choose where the result of one photo goes; None is standard output."""
    if out == STDOUT:
        return None
    name = result_name(photo or Path("photo"), kind, ending)
    if out is None:
        return photo.with_name(name) if photo else Path(name)
    is_folder = os.path.isdir(out) or out.endswith(("/", os.sep)) or not Path(out).suffix
    return Path(out) / name if is_folder else Path(out)


def one_compare(options: Options, photo: Path | None) -> Path | None:
    """Choose where the picture of photo, mask and overlay goes.

    raises: PlanError
    """
    if options.compare is None or not options.compare.is_dir():
        if options.compare and not is_picture_name(options.compare):
            raise PlanError(f"--compare writes a picture, and {options.compare} is not called like one")
        return options.compare
    return options.compare / result_name(photo or Path("photo"), "compare", ".png")


def plan_many(options: Options) -> list[Job]:
    """Plan all photos of a command about several.

    raises: PlanError
    """
    if options.out is not None:
        check_folder(options.out, "--out")
    if options.compare is not None:
        check_folder(str(options.compare), "--compare")
    photos = find_photos(options.sources, written_by(options))
    names = distinct_names(photos, options.out is not None)
    jobs = []
    for photo, name in zip(photos, names, strict=True):
        above = photo.path.parent if options.out is None else Path(options.out) / photo.folder
        compare = options.compare and options.compare / photo.folder / f"{name}-compare.png"
        jobs.append(Job(photo.path, above / f"{name}-{result_kind(options)}{ending(options)}", compare))
    check_distinct(jobs)
    return jobs


def check_folder(path: str, option: str) -> None:
    """Refuse what cannot be a folder.

    raises: PlanError
    """
    if path == STDOUT or os.path.isfile(path) or Path(path).suffix.lower() in {*ENDINGS, ".json"}:
        raise PlanError(f"{option} takes a folder where there are several photos; {path} is none")


def written_by(options: Options) -> list[Path]:
    """List what this command itself writes into, so that none of it is taken for a photo."""
    sheets = sheet_paths(options.contact_sheet) if options.contact_sheet else []
    return [Path(path) for path in (options.out, options.compare, *sheets) if path is not None]


def result_name(photo: Path, kind: str, ending: str) -> str:
    return f"{photo.stem}-{kind}{ending}"


def result_kind(options: Options) -> str:
    """Name what a result is; the JSON is the mask too, in another form."""
    return "mask" if options.question.output == "json" else options.question.output


def ending(options: Options) -> str:
    return ".json" if options.question.output == "json" else ".png"


def distinct_names(photos: list[Found], mirrored: bool) -> list[str]:
    """Name the results: by the photo's name without its ending, or with it where two photos differ in nothing else."""
    stems = [key(photo, photo.path.stem, mirrored) for photo in photos]
    often = Counter(stems)
    return [photo.path.name if often[stem] > 1 else photo.path.stem for photo, stem in zip(photos, stems, strict=True)]


def key(photo: Found, name: str, mirrored: bool) -> str:
    """Give what two results must differ in; many a disk takes upper and lower case for the same."""
    return str((photo.folder if mirrored else photo.path.parent) / name).casefold()


def check_distinct(jobs: list[Job]) -> None:
    """Refuse to write the results of two photos to one file.

    raises: PlanError
    """
    seen: dict[str, Job] = {}
    for job in jobs:
        other = seen.setdefault(str(job.result), job)
        if other is not job:
            raise PlanError(f"{other.name} and {job.name} would both be written to {job.result}")
