"""What one run over many photos shares: its numbers, its log, its bar, and the wish to stop."""

from __future__ import annotations

import errno
import threading

from client.cli.arguments import Options
from client.cli.atomic_write import CannotWrite
from client.cli.progress import Progress, Spoken
from client.cli.run_log import Journal
from client.cli.summary import Summary
from client.cli.task import Outcome
from client.errors import AuthError, ClientError, NotAllowed, ServerError, Unreachable
from client.retry import PASSING_STATUSES

FEWEST_IN_A_ROW = 3
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
NOT_THERE = (404, 405)


class Run:
    """Take in outcomes, and decide when the rest is not worth trying.

    raises: CannotWrite
    """

    def __init__(self, options: Options, total: int) -> None:
        self.options = options
        self.stop = threading.Event()
        self.interrupted = False
        self.stopped_why: str | None = None
        self.summary = Summary(total)
        self.journal = Journal(options.log)
        self.progress = Progress(total, shown=not options.quiet)
        self.spoken = Spoken(self.progress)
        self._given_up_in_a_row = 0

    def report(self, outcome: Outcome) -> None:
        """Take in what became of a photo; of a stopped one there is nothing to tell.

        raises: CannotWrite
        """
        if outcome.status == "stopped":
            return
        self.summary.add(outcome)
        self.journal.write(outcome)
        if outcome.error is not None:
            self.progress.say(f"{outcome.job.name}: {outcome.error.detail}", to_stderr=True)
            self._consider_stopping(outcome.error)
        elif outcome.status == "done":
            self._given_up_in_a_row = 0
            if not self.options.quiet:
                self.progress.say(describe(outcome))

    def tick(self) -> None:
        """Redraw the bar if it is time."""
        self.progress.update(self.summary.asked, self.summary.skipped, self.summary.failed)

    def close(self) -> None:
        """Take the bar away and close the log."""
        self.progress.clear()
        self.journal.close()

    def _consider_stopping(self, error: ClientError) -> None:
        """Stop the whole run over what would fail every other photo just the same."""
        self._given_up_in_a_row = self._given_up_in_a_row + 1 if was_tried_in_vain(error) else 0
        gone = self._given_up_in_a_row >= max(FEWEST_IN_A_ROW, self.options.jobs)
        if (gone or is_lasting(error)) and not self.stop.is_set():
            self.stopped_why = error.detail
            self.stop.set()


def describe(outcome: Outcome) -> str:
    """Say in a line where the result of a photo is, and if it was scaled down to be sent."""
    sent_wh = outcome.answer.sent_wh if outcome.answer else None
    scaled = f" (sent as {sent_wh[0]} x {sent_wh[1]}, being over 32 MiB)" if sent_wh else ""
    return f"{outcome.job.name} -> {outcome.job.result}{scaled}"


def was_tried_in_vain(error: ClientError) -> bool:
    """Tell whether a photo failed although it was tried until its deadline."""
    return isinstance(error, Unreachable) or (isinstance(error, ServerError) and error.status in PASSING_STATUSES)


def is_lasting(error: ClientError) -> bool:
    """Tell whether an error has nothing to do with the photo: no token, no such address, no room on the disk."""
    if isinstance(error, CannotWrite):
        return error.errno in DISK_IS_FULL
    if isinstance(error, ServerError):
        return isinstance(error, NotAllowed) or error.status in NOT_THERE
    return isinstance(error, AuthError)
