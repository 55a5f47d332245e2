"""One job: a photo that is read, segmented and written."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from ..client import Client
from ..errors import ClientError, Stopped
from ..options import Output
from ..photo import read_photo
from ..response import ResponseMetadata
from ..result import SegmentResult
from .arguments import CliOptions
from .atomic_write import is_written, write_atomically
from .background import compose
from .comparison import side_by_side

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
    """

    photo: Path | None
    destination: Path | None
    compare: Path | None = None

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


def is_done(job: FileJob) -> bool:
    """Return whether all output files of a job exist."""
    outputs = [path for path in (job.destination, job.compare) if path is not None]
    return bool(outputs) and all(is_written(path) for path in outputs)


def run_job(job: FileJob, client: Client, options: CliOptions) -> Outcome:
    """Segment a photo and write its output files; an error becomes the outcome."""
    return outcome_of(job, lambda: _segment_and_write(job, client, options))


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
    photo = read_photo(sys.stdin.buffer.read() if job.photo is None else job.photo)
    result = _request(photo, client, options, options.segment.output)
    if job.compare is not None:
        bodies = {options.segment.output: result.body}
        panels = [bodies.get(output) or _request(photo, client, options, output).body for output in COMPARED_OUTPUTS]
        write_atomically(job.compare, side_by_side(photo, panels, job.compare.suffix))
    body = compose(result.body, options.background) if options.background else result.body
    write_atomically(job.destination, body)
    return result


def _request(photo: bytes, client: Client, options: CliOptions, output: Output) -> SegmentResult:
    """Request one output of a photo, with the options of the command line."""
    segment = options.segment
    return client.request_output(
        photo, output=output, threshold=segment.threshold, class_name=segment.class_name, size=segment.size
    )
