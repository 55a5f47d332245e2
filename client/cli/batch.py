"""The batch command: many photos, several at once, interrupted and continued at any time."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import FrameType
from typing import TypeVar

from ..client import Client
from ..errors import ClientError
from .arguments import CliOptions, make_client
from .atomic_write import is_written, write_atomically
from .batch_state import BatchState
from .contact_sheet import SheetEntry, draw_sheets, nth_sheet
from .image_viewer import open_in_viewer
from .job import FileJob, Job, Outcome, run_job
from .output_paths import plan_batch
from .terminal import escape

AnyJob = TypeVar("AnyJob", bound=Job)
log = logging.getLogger("silhouette")
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def run_batch(options: CliOptions) -> int:
    """Process all photos that have no result yet.

    Args:
        options: The options of the command line.

    Returns:
        The exit code.

    Raises:
        ClientError: If a log or a contact sheet cannot be written.
        UsageError: If --out or --compare is a file, or two photos would have the same result file.
    """
    jobs = plan_batch(options)
    if not jobs:
        return report_no_photos(options)
    model = None if options.force else _current_model(options, jobs)
    state = BatchState(options, len(jobs))
    with_result: set[FileJob] = set()

    def work(job: FileJob, client: Client) -> Outcome:
        outcome = run_job(job, client, options, model)
        if outcome.status in ("done", "skipped"):
            with_result.add(job)
        return outcome

    code = run_jobs(state, jobs, work)
    if not state.interrupted:
        _write_contact_sheets(options, [job for job in jobs if job in with_result])
        _show(options, jobs)
    return code


def _current_model(options: CliOptions, jobs: list[FileJob]) -> str:
    """Return the function's current model as in `X-Model`, to compare existing results with; empty if none exist."""
    if not any(job.destination and is_written(job.destination) for job in jobs):
        return ""
    try:
        with make_client(options) as client:
            model = client.model()
        return f"{model['name']}/{model['version']}; sha256={model['sha256'][:12]}"
    except ClientError as error:
        reason = error.detail
    except (KeyError, TypeError):
        reason = "its description is incomplete"
    log.warning("the function's model is unknown, so results of other models are kept: %s", reason)
    return ""


def report_no_photos(options: CliOptions) -> int:
    """Print that there is nothing to do, and return the exit code."""
    print(escape(f"no photos found in {', '.join(options.sources)}"), file=sys.stderr)
    return 1


def run_jobs(state: BatchState, jobs: list[AnyJob], work: Callable[[AnyJob, Client], Outcome]) -> int:
    """Run jobs concurrently and print a summary.

    Args:
        state: The state of the run, which is closed at the end.
        jobs: All jobs.
        work: Runs or skips one job, in a thread of its own.

    Returns:
        The exit code.

    Raises:
        CannotWrite: If the log cannot be written.
    """
    started_at = time.monotonic()
    try:
        with _interruptible(state), _logging_above_progress(state):
            _process(state, iter(jobs), work)
    finally:
        state.close()
    _print_summary(state, time.monotonic() - started_at)
    if state.interrupted:
        return INTERRUPTED
    return 1 if state.summary.failed or state.summary.remaining else 0


def _process(state: BatchState, pending: Iterator[AnyJob], work: Callable[[AnyJob, Client], Outcome]) -> None:
    """Keep up to --jobs jobs running until none is pending."""
    running: set[Future[Outcome]] = set()
    with make_client(state.options, state.stop) as client, ThreadPoolExecutor(state.options.jobs) as pool:
        try:
            while True:
                while len(running) < state.options.jobs and not state.stop.is_set() and (job := next(pending, None)):
                    running.add(pool.submit(work, job, client))
                if not running:
                    return
                finished, running = wait(running, timeout=0.25, return_when=FIRST_COMPLETED)
                for future in finished:
                    state.record(future.result())
                state.update_progress()
        finally:
            # After an error here, the pool would otherwise wait for threads that pause between retries.
            state.stop.set()


@contextlib.contextmanager
def _interruptible(state: BatchState) -> Iterator[None]:
    """Finish the running jobs at the first Ctrl-C, exit at the second; files are complete or absent either way."""

    def interrupt(signal_number: int, frame: FrameType | None) -> None:
        if state.interrupted:
            os._exit(INTERRUPTED)
        state.interrupt()
        os.write(2, b"\nstopping after the photos in progress; press Ctrl-C again to stop at once\n")

    is_main = threading.current_thread() is threading.main_thread()
    # A shell starts background jobs with SIGINT ignored; respect that.
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def _logging_above_progress(state: BatchState) -> Iterator[None]:
    """Print log records through the progress bar, so that they do not garble it."""
    log = logging.getLogger("silhouette")
    log.addHandler(state.log_handler)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(state.log_handler)
        log.propagate = True


def _print_summary(state: BatchState, elapsed_s: float) -> None:
    if state.stop_reason:
        reason = escape(state.stop_reason)
        print(f"stopped early, because the remaining photos would fail too: {reason}", file=sys.stderr)
    if not state.options.quiet:
        print("\n".join(escape(line) for line in state.summary.lines(elapsed_s)), flush=True)


def _write_contact_sheets(options: CliOptions, jobs: list[FileJob]) -> None:
    if options.contact_sheet is None:
        return
    entries = [SheetEntry(job.photo, job.destination) for job in jobs if job.photo and job.destination]
    for index, sheet in enumerate(draw_sheets(entries, options.contact_sheet.suffix)):
        write_atomically(nth_sheet(options.contact_sheet, index), sheet)


def _show(options: CliOptions, jobs: list[FileJob]) -> None:
    """Open the contact sheet, or else the folder of the results."""
    first = jobs[0].destination
    path = options.contact_sheet or (Path(options.out) if options.out else first.parent if first else None)
    if options.show and path and (message := open_in_viewer(path)):
        print(escape(message), file=sys.stderr)
