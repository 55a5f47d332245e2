"""The state of a run over many photos: summary, log, progress bar, and whether to stop."""

from __future__ import annotations

import errno
import threading

from ..errors import AuthError, ClientError, NotAllowed, ServerError, Unreachable
from ..result import SegmentResult
from ..retry import RETRYABLE_STATUSES
from .agreement import ComparedResult
from .arguments import CliOptions
from .atomic_write import CannotWrite
from .job import Outcome
from .progress import ProgressBar, ProgressLogHandler
from .run_log import RunLog
from .summary import Summary

FEWEST_EXHAUSTED_IN_A_ROW = 3
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
WRONG_URL_STATUSES = (404, 405)


class BatchState:
    """Records outcomes, and stops the run if the remaining photos would fail too.

    Attributes:
        options: The options of the command line.
        stop: Set to stop the run: no job is started, pauses between retries end.
        interrupted: Whether the user pressed Ctrl-C.
        stop_reason: The error that stopped the run, if one did.
        summary: The counts.
        log_handler: Prints log records without garbling the progress bar.
    """

    def __init__(self, options: CliOptions, total: int) -> None:
        """Open the log.

        Args:
            options: The options of the command line.
            total: Number of photos.

        Raises:
            CannotWrite: If the log cannot be opened.
        """
        self.options = options
        self.stop = threading.Event()
        self.interrupted = False
        self.stop_reason: str | None = None
        self.summary = Summary(total, resumable=options.against is None)
        self._log = RunLog(options.log)
        self._progress = ProgressBar(total, shown=not options.quiet)
        self.log_handler = ProgressLogHandler(self._progress)
        self._exhausted_in_a_row = 0

    def record(self, outcome: Outcome) -> None:
        """Count, log and print an outcome; a stopped job is ignored.

        Raises:
            CannotWrite: If the log cannot be written.
        """
        if outcome.status == "stopped":
            return
        self.summary.add(outcome)
        self._log.write(outcome)
        if outcome.error is not None:
            self._progress.print_line(f"{outcome.job.name}: {outcome.error.detail}", to_stderr=True)
            self._stop_if_systemic(outcome.error)
        elif outcome.status == "done":
            self._exhausted_in_a_row = 0
            if not self.options.quiet:
                self._progress.print_line(_done_line(outcome))

    def interrupt(self) -> None:
        """Stop the run because the user pressed Ctrl-C."""
        self.interrupted = True
        self.stop.set()

    def update_progress(self) -> None:
        """Redraw the progress bar if it is due."""
        self._progress.update(self.summary.processed, self.summary.skipped, self.summary.failed)

    def close(self) -> None:
        """Erase the progress bar and close the log."""
        self._progress.clear()
        self._log.close()

    def _stop_if_systemic(self, error: ClientError) -> None:
        """Stop the run on an error that all other photos would meet too."""
        self._exhausted_in_a_row = self._exhausted_in_a_row + 1 if _exhausted_retries(error) else 0
        is_server_down = self._exhausted_in_a_row >= max(FEWEST_EXHAUSTED_IN_A_ROW, self.options.jobs)
        if (is_server_down or _is_independent_of_photo(error)) and not self.stop.is_set():
            self.stop_reason = error.detail
            self.stop.set()


def _done_line(outcome: Outcome) -> str:
    """Return the line to print for a photo that is done."""
    response = outcome.response
    if isinstance(response, ComparedResult):
        return f"IoU {response.agreement:.4f}  {outcome.job.name}"
    sent_wh = response.sent_wh if isinstance(response, SegmentResult) else None
    reduced = f" (sent as {sent_wh[0]} x {sent_wh[1]}, because it exceeds a limit)" if sent_wh else ""
    return f"{outcome.job.name} -> {outcome.job.destination}{reduced}"


def _exhausted_retries(error: ClientError) -> bool:
    """Return whether a photo failed although it was retried until its deadline."""
    return isinstance(error, Unreachable) or (isinstance(error, ServerError) and error.status in RETRYABLE_STATUSES)


def _is_independent_of_photo(error: ClientError) -> bool:
    """Return whether an error has nothing to do with the photo: no token, a wrong URL, a full disk."""
    if isinstance(error, CannotWrite):
        return error.errno in DISK_ERRORS
    if isinstance(error, ServerError):
        return isinstance(error, NotAllowed) or error.status in WRONG_URL_STATUSES
    return isinstance(error, AuthError)
