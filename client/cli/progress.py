"""How far along it is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time

BAR_CHARS = 24
REDRAW_S = 0.1
LINE_EVERY_S = 15.0


class Progress:
    """Show on standard error how many of all photos are through, how fast, and how long the rest may take."""

    def __init__(self, total: int, shown: bool) -> None:
        self._total = total
        self._shown = shown
        self._is_terminal = sys.stderr.isatty()
        self._lock = threading.RLock()
        self._began_at = self._drawn_at = time.monotonic()
        self._width = 0

    def say(self, line: str, to_stderr: bool = False) -> None:
        """Print a line of its own, in the place of the bar, which comes back below it."""
        with self._lock:
            self.clear()
            print(line, file=sys.stderr if to_stderr else sys.stdout, flush=True)

    def update(self, asked: int, skipped: int, failed: int) -> None:
        """Show the numbers, unless they were shown a moment ago.

        asked: how many are through, failed ones among them, skipped ones not
        """
        with self._lock:
            now = time.monotonic()
            is_due = now - self._drawn_at >= (REDRAW_S if self._is_terminal else LINE_EVERY_S)
            # A bar that a line has taken the place of comes back at once.
            if self._shown and (is_due or (self._is_terminal and self._width == 0)):
                self._drawn_at = now
                self._draw(self._line(asked, skipped, failed, now - self._began_at))

    def clear(self) -> None:
        """Take the bar away."""
        with self._lock:
            if self._width:
                print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)
                self._width = 0

    def _draw(self, line: str) -> None:
        """Put a line in the place of the last one on a terminal, below it elsewhere."""
        if not self._is_terminal:
            print(line, file=sys.stderr, flush=True)
            return
        line = line[: shutil.get_terminal_size().columns - 1]
        print("\r" + line.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = len(line)

    def _line(self, asked: int, skipped: int, failed: int, elapsed_s: float) -> str:
        """Put the numbers into a line."""
        through = asked + skipped
        full = BAR_CHARS * through // max(self._total, 1)
        # Skipped photos take no time: the rate, and what is left, are of those that were asked for.
        rate = asked / elapsed_s if elapsed_s > 0 else 0.0
        left = clock((self._total - through) / rate) if rate > 0 else "?"
        numbers = f"{through}/{self._total}  {rate:.1f} photos/s  {left} left"
        return f"[{'#' * full}{'.' * (BAR_CHARS - full)}] {numbers}" + (f"  {failed} failed" if failed else "")


class Spoken(logging.Handler):
    """Print log lines between the results: warnings all, the news of single tries only now and then."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._said_at = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        if record.levelno < logging.WARNING:
            if now - self._said_at < LINE_EVERY_S:
                return
            self._said_at = now
        self._progress.say(record.getMessage(), to_stderr=True)


def clock(seconds: float) -> str:
    """Write a time as hours, minutes and seconds."""
    minutes, second = divmod(int(seconds + 0.5), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"
