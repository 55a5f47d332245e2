"""One job: a photo that is read, segmented and written."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from ..client import Client
from ..errors import ClientError, PhotoError, Stopped
from ..options import Output
from ..photo import read_photo
from ..response import ResponseMetadata
from ..result import SegmentResult
from .arguments import CliOptions
from .atomic_write import write_atomically
from .background import compose
from .comparison import side_by_side
from .file_format import EXTENSIONS
from .image_files import encode_as
from .origin import embed_origin, file_state, read_origin, read_source

log = logging.getLogger("silhouette")

COMPARED_OUTPUTS: tuple[Output, ...] = ("mask", "overlay")


class Job(Protocol):
    """A photo, on disk or in a bucket, and the destination of its result."""

    @property
    def name(self) -> str:
        """The photo's path or URI."""

    @property
    def destination(self) -> object:
        """The result's path or URI."""


@dataclass(frozen=True)
class FileJob:
    """A photo on disk.

    Attributes:
        photo: The photo; None for standard input.
        destination: Where the result goes; None for standard output.
        compare: Where the comparison image goes; None for no comparison image.
        refusal: Why the photo cannot be processed, if the search for photos has found a reason.
    """

    photo: Path | None
    destination: Path | None
    compare: Path | None = None
    refusal: str | None = None

    @property
    def name(self) -> str:
        """The photo's path."""
        return str(self.photo) if self.photo else "standard input"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    Attributes:
        job: The job.
        status: "stopped" if the run ended before the job was complete; the next run does it.
        response: The response, if the job is done.
        error: The error, if the job failed or was stopped.
    """

    job: Job
    status: Literal["done", "skipped", "failed", "stopped"]
    response: ResponseMetadata | None = None
    error: ClientError | None = None


class ResultExists(ClientError):
    """An output file exists that was not made of the same photo, and --force is not given."""

    code = "result-exists"


def run_job(job: FileJob, client: Client, options: CliOptions, model: str | None = None) -> Outcome:
    """Segment a photo and write its output files, unless they are current; an error becomes the outcome.

    Args:
        job: The job.
        client: The client.
        options: The options of the command line.
        model: The function's model, to compare existing files with; empty if it is unknown; None to skip no photo.
    """
    try:
        if model is not None and _is_current(job, options, model):
            return Outcome(job, "skipped")
    except OSError:
        pass  # reading the photo reports it
    return outcome_of(job, lambda: _segment_and_write(job, client, options))


def _is_current(job: FileJob, options: CliOptions, model: str) -> bool:
    """Return whether all output files of a job exist and are what the job would write."""
    outputs = _output_files(job, options)
    return bool(outputs) and all(
        file_state(path, job.photo, file_options, model) == "current" for path, file_options in outputs
    )


def _output_files(job: FileJob, options: CliOptions) -> list[tuple[Path, dict[str, str]]]:
    """Return the output files of a job, each with the options that determine it."""
    result = options.origin_options()
    files = [(job.destination, result), (job.compare, {**result, "file": "comparison"})]
    return [(path, file_options) for path, file_options in files if path is not None]


def _check_replaceable(job: FileJob, options: CliOptions) -> None:
    """Check that the job replaces only its own results.

    Raises:
        ResultExists: If an output file exists that was not made of the same photo.
    """
    for path, file_options in _output_files(job, options):
        if not options.force and file_state(path, job.photo, file_options, "") == "foreign":
            origin = read_origin(path)
            reason = f"was made of another photo ({origin.photo})" if origin else "was not made by this command"
            raise ResultExists(f"{path} exists and {reason}; use --force to overwrite it, or --out for another place")


def outcome_of(job: Job, work: Callable[[], ResponseMetadata]) -> Outcome:
    """Call a function and return its result or its error as the outcome of a job."""
    try:
        return Outcome(job, "done", response=work())
    except Stopped as error:
        return Outcome(job, "stopped", error=error)
    except ClientError as error:
        return Outcome(job, "failed", error=error)
    except Exception as error:
        # One photo that triggers a bug in a library must not end a run over many.
        log.debug("%s", job.name, exc_info=True)
        return Outcome(job, "failed", error=ClientError(f"unexpected {type(error).__name__}: {error}"))


def _segment_and_write(job: FileJob, client: Client, options: CliOptions) -> SegmentResult:
    """Segment a photo and write its output files; the result comes last, since it marks the job as done."""
    if job.refusal is not None:
        raise PhotoError(job.refusal)
    _check_replaceable(job, options)
    file, origin = read_source(job.photo)
    photo = read_photo(file)
    result = _request(photo, client, options, options.segment.output)
    origins = {
        path: replace(origin, options=file_options, model=result.model)
        for path, file_options in _output_files(job, options)
    }
    if job.compare is not None:
        bodies = {options.segment.output: result.body}
        panels = [bodies.get(output) or _request(photo, client, options, output).body for output in COMPARED_OUTPUTS]
        comparison = side_by_side(photo, panels, job.compare.suffix)
        write_atomically(job.compare, embed_origin(comparison, origins[job.compare]))
    body = _result_file(result, options)
    write_atomically(job.destination, embed_origin(body, origins[job.destination]) if job.destination else body)
    return result


def _result_file(result: SegmentResult, options: CliOptions) -> bytes:
    """Return the content of a result's file: the response unchanged, unless a background is drawn."""
    if options.background is None:
        return result.body
    return encode_as(compose(result.body, options.background), EXTENSIONS[options.file_format][0])


def _request(photo: bytes, client: Client, options: CliOptions, output: Output) -> SegmentResult:
    """Request one output of a photo, with the options of the command line."""
    segment = options.segment
    return client.request_output(
        photo,
        output=output,
        threshold=segment.threshold,
        class_name=segment.class_name,
        size=segment.size,
        format=segment.format if output == segment.output else None,
    )
