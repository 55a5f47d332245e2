"""One photo from reading to writing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from client.cli.arguments import Options
from client.cli.atomic_write import is_written, write_whole
from client.cli.background import put_behind
from client.cli.comparison import side_by_side
from client.client import Client
from client.errors import ClientError, Stopped
from client.options import Output
from client.photo import to_bytes
from client.result import Answer

log = logging.getLogger("silhouette")

COMPARED: tuple[Output, ...] = ("mask", "overlay")


class Errand(Protocol):
    """Be one photo, wherever it is, and the place where its result goes."""

    @property
    def name(self) -> str: ...

    @property
    def result(self) -> object: ...


@dataclass(frozen=True)
class Job:
    """Hold one photo and where its results go.

    photo: None is standard input
    result: None is standard output
    compare: None is not wanted
    """

    photo: Path | None
    result: Path | None
    compare: Path | None = None

    @property
    def name(self) -> str:
        return str(self.photo) if self.photo else "standard input"


@dataclass(frozen=True)
class Outcome:
    """Hold what became of a job; a stopped one was not begun, or not finished, and is left for the next run."""

    job: Errand
    status: Literal["done", "skipped", "failed", "stopped"]
    answer: Answer | None = None
    error: ClientError | None = None


def is_done(job: Job) -> bool:
    """Tell whether everything a job should write is there."""
    wanted = [path for path in (job.result, job.compare) if path is not None]
    return bool(wanted) and all(is_written(path) for path in wanted)


def do(job: Job, client: Client, options: Options) -> Outcome:
    """Do a job, and give back its failure as an outcome."""
    return outcome_of(job, lambda: ask_and_write(job, client, options))


def outcome_of(job: Errand, work: Callable[[], Answer]) -> Outcome:
    """Do some work for a job, and give back its failure as an outcome."""
    try:
        return Outcome(job, "done", answer=work())
    except Stopped as error:
        return Outcome(job, "stopped", error=error)
    except ClientError as error:
        return Outcome(job, "failed", error=error)
    except Exception as error:
        # One photo that breaks a library in a new way must not take a hundred thousand others with it.
        log.debug("%s", job.name, exc_info=True)
        return Outcome(job, "failed", error=ClientError(f"unexpected {type(error).__name__}: {error}"))


def ask_and_write(job: Job, client: Client, options: Options) -> Answer:
    """Ask for what is wanted of a photo and write it: the result last, since the result is what says "done".

    raises: ClientError
    """
    photo = to_bytes(sys.stdin.buffer.read() if job.photo is None else job.photo)
    answer = ask(photo, client, options, options.question.output)
    if job.compare is not None:
        have = {options.question.output: answer.body}
        panels = [have.get(output) or ask(photo, client, options, output).body for output in COMPARED]
        write_whole(job.compare, side_by_side(photo, panels, job.compare.suffix))
    body = put_behind(answer.body, options.background) if options.background else answer.body
    write_whole(job.result, body)
    return answer


def ask(photo: bytes, client: Client, options: Options, output: Output) -> Answer:
    """Ask for one output of a photo, with the options of the command line."""
    question = options.question
    return client.ask(
        photo, output=output, threshold=question.threshold, class_name=question.class_name, size=question.size
    )
