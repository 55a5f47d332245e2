"""A bar that says how far a benchmark is."""

from __future__ import annotations

import sys
import time

WIDTH = 30


class Progress:
    """Counts steps on standard error: a bar on a terminal, ten lines elsewhere."""

    def __init__(self, what: str, steps: int) -> None:
        """Begin at zero."""
        self.what, self.steps, self.done = what, steps, 0
        self.began = time.monotonic()

    def step(self, doing: str) -> None:
        """Say that one more step is done, and what it was."""
        self.done += 1
        line = bar(self.what, self.done, self.steps, time.monotonic() - self.began, doing)
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="\n" if self.done == self.steps else "", file=sys.stderr, flush=True)
        elif self.done * 10 // self.steps > (self.done - 1) * 10 // self.steps:
            print(line, file=sys.stderr, flush=True)


def bar(what: str, done: int, steps: int, passed_s: float, doing: str) -> str:
    """Draw the bar as text, with the time left."""
    filled = WIDTH * done // steps
    left_s = passed_s / done * (steps - done)
    left = f"{left_s / 60:.0f} min left" if left_s > 90 else f"{left_s:.0f} s left"
    return f"{what} [{'#' * filled}{'.' * (WIDTH - filled)}] {done}/{steps}, {left}: {doing}"
