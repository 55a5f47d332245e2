"""A progress bar for long benchmarks."""

from __future__ import annotations

import sys
import time

WIDTH = 30


class ProgressBar:
    """Counts steps on standard error: a bar on a terminal, about ten lines elsewhere."""

    def __init__(self, title: str, steps: int) -> None:
        """Start at zero of a number of steps."""
        self.title, self.steps, self.done = title, steps, 0
        self.start = time.monotonic()

    def step(self, label: str) -> None:
        """Count one more step as done and print its label."""
        self.done += 1
        line = bar(self.title, self.done, self.steps, time.monotonic() - self.start, label)
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="\n" if self.done == self.steps else "", file=sys.stderr, flush=True)
        elif self.done * 10 // self.steps > (self.done - 1) * 10 // self.steps:
            print(line, file=sys.stderr, flush=True)


def bar(title: str, done: int, steps: int, elapsed_s: float, label: str) -> str:
    """Format the bar as text, with an estimate of the time left."""
    filled = WIDTH * done // steps
    left_s = elapsed_s / done * (steps - done)
    left = f"{left_s / 60:.0f} min left" if left_s > 90 else f"{left_s:.0f} s left"
    return f"{title} [{'#' * filled}{'.' * (WIDTH - filled)}] {done}/{steps}, {left}: {label}"
