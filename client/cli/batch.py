"""The command about many photos: several in flight, results as they come, stopped and gone on with at will."""

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

from client.cli.arguments import Options, make_client
from client.cli.atomic_write import write_whole
from client.cli.batch_state import Run
from client.cli.contact_sheet import Pair, draw_sheets, nth_path
from client.cli.open_file import show
from client.cli.output_paths import plan_many
from client.cli.task import Errand, Job, Outcome, do, is_done
from client.client import Client

E = TypeVar("E", bound=Errand)
INTERRUPTED = 130


def run_many(options: Options) -> int:
    """Do all photos that are not done; give back the exit code.

    raises: ClientError, PlanError
    """
    jobs = plan_many(options)
    if not jobs:
        return nothing_found(options)
    run = Run(options, len(jobs))
    code = lead(run, jobs, lambda job: not options.force and is_done(job), lambda job, client: do(job, client, options))
    if not run.interrupted:
        show_all(options, jobs)
    return code


def nothing_found(options: Options) -> int:
    """Say that there is nothing to do; give back the exit code."""
    print(f"no photos found in {', '.join(options.sources)}", file=sys.stderr)
    return 1


def lead(run: Run, jobs: list[E], is_done: Callable[[E], bool], work: Callable[[E, Client], Outcome]) -> int:
    """Do the jobs that are not done, and tell what became of all; give back the exit code.

    raises: ClientError
    """
    began_at = time.monotonic()
    try:
        with stopped_by_ctrl_c(run), spoken(run):
            work_through(run, waiting(run, jobs, is_done), work)
    finally:
        run.close()
    tell(run, time.monotonic() - began_at)
    if run.interrupted:
        return INTERRUPTED
    return 1 if run.summary.failed or run.summary.left else 0


def work_through(run: Run, waiting: Iterator[E], work: Callable[[E, Client], Outcome]) -> None:
    """Keep as many photos in flight as there may be, until there are none left or it is time to stop."""
    flying: set[Future[Outcome]] = set()
    with make_client(run.options, run.stop) as client, ThreadPoolExecutor(run.options.jobs) as pool:
        try:
            while True:
                while len(flying) < run.options.jobs and (job := next(waiting, None)):
                    flying.add(pool.submit(work, job, client))
                if not flying:
                    return
                landed, flying = wait(flying, timeout=0.25, return_when=FIRST_COMPLETED)
                for future in landed:
                    run.report(future.result())
                run.tick()
        finally:
            # If it ends by an error, no thread is left to sit out a pause.
            run.stop.set()


def waiting(run: Run, jobs: list[E], is_done: Callable[[E], bool]) -> Iterator[E]:
    """Yield the photos that are not done, report the ones that are, and end when it is time to stop."""
    for job in jobs:
        if run.stop.is_set():
            return
        if is_done(job):
            run.report(Outcome(job, "skipped"))
            run.tick()
        else:
            yield job


@contextlib.contextmanager
def stopped_by_ctrl_c(run: Run) -> Iterator[None]:
    """Stop gently at the first Ctrl-C; at the second, at once: files are whole or absent either way."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if run.interrupted:
            os._exit(INTERRUPTED)
        run.interrupted = True
        run.stop.set()
        os.write(2, b"\nstopping when the photos in flight are done; Ctrl-C again stops at once\n")

    is_main = threading.current_thread() is threading.main_thread()
    # Started in the background, a shell may have it ignore Ctrl-C: so it stays.
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def spoken(run: Run) -> Iterator[None]:
    """Print the library's log lines where they do not tear the bar."""
    log = logging.getLogger("silhouette")
    log.addHandler(run.spoken)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(run.spoken)
        log.propagate = True


def tell(run: Run, elapsed_s: float) -> None:
    """Say what became of all."""
    if run.stopped_why:
        print(f"stopped, since the rest would fare no better: {run.stopped_why}", file=sys.stderr)
    if not run.options.quiet:
        print("\n".join(run.summary.lines(elapsed_s)), flush=True)


def show_all(options: Options, jobs: list[Job]) -> None:
    """Draw the contact sheets, and open what there is to see.

    raises: PhotoError, CannotWrite
    """
    first = jobs[0].result
    shown = Path(options.out) if options.out else first.parent if first else None
    if options.contact_sheet:
        shown = options.contact_sheet
        pairs = [Pair(job.photo, job.result) for job in jobs if job.photo and job.result and is_done(job)]
        for index, sheet in enumerate(draw_sheets(pairs, shown.suffix)):
            write_whole(nth_path(shown, index), sheet)
    if options.show and shown and (complaint := show(shown)):
        print(complaint, file=sys.stderr)
