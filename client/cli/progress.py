"""The progress of a run on standard error: a bar on a terminal, an occasional line elsewhere."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time

from .terminal import escape

BAR_CHARS = 24
REDRAW_S = 0.1
LINE_EVERY_S = 15.0


class ProgressBar:
    """Shows on standard error how many photos are finished, the rate, and the estimated time left. Thread-safe."""

    def __init__(self, total: int, shown: bool) -> None:
        self._total = total
        self._shown = shown
        self._is_terminal = sys.stderr.isatty()
        self._lock = threading.RLock()
        self._started_at = self._drawn_at = time.monotonic()
        self._width = 0

    def print_line(self, line: str, to_stderr: bool = False) -> None:
        """Print a line in place of the bar; the next update draws the bar below it.

        Args:
            line: The text.
            to_stderr: Whether to print to standard error rather than standard output.
        """
        with self._lock:
            self.clear()
            print(escape(line), file=sys.stderr if to_stderr else sys.stdout, flush=True)

    def update(self, processed: int, skipped: int, failed: int) -> None:
        """Show the counts, unless they were shown a moment ago.

        Args:
            processed: Number of photos that were done or failed.
            skipped: Number of photos that had a result.
            failed: Number of photos that failed.
        """
        with self._lock:
            now = time.monotonic()
            is_due = now - self._drawn_at >= (REDRAW_S if self._is_terminal else LINE_EVERY_S)
            # A bar that a line has replaced is drawn again at once.
            if self._shown and (is_due or (self._is_terminal and self._width == 0)):
                self._drawn_at = now
                self._draw(self._line(processed, skipped, failed, now - self._started_at))

    def clear(self) -> None:
        """Erase the bar."""
        with self._lock:
            if self._width:
                print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)
                self._width = 0

    def _draw(self, line: str) -> None:
        """Replace the bar on a terminal; print a new line elsewhere."""
        if not self._is_terminal:
            print(line, file=sys.stderr, flush=True)
            return
        line = line[: shutil.get_terminal_size().columns - 1]
        print("\r" + line.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = len(line)

    def _line(self, processed: int, skipped: int, failed: int, elapsed_s: float) -> str:
        finished = processed + skipped
        filled = BAR_CHARS * finished // max(self._total, 1)
        # Skipped photos take no time, so the rate is that of the processed ones.
        rate = processed / elapsed_s if elapsed_s > 0 else 0.0
        left = format_duration((self._total - finished) / rate) if rate > 0 else "?"
        counts = f"{finished}/{self._total}  {rate:.1f} photos/s  {left} left"
        return f"[{'#' * filled}{'.' * (BAR_CHARS - filled)}] {counts}" + (f"  {failed} failed" if failed else "")


class ProgressLogHandler(logging.Handler):
    """Prints log records above the bar: every warning, but messages about retries only once in a while."""

    def __init__(self, progress: ProgressBar) -> None:
        super().__init__()
        self._progress = progress
        self._info_printed_at = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, unless it is below WARNING and another such record was printed recently."""
        now = time.monotonic()
        if record.levelno < logging.WARNING:
            if now - self._info_printed_at < LINE_EVERY_S:
                return
            self._info_printed_at = now
        self._progress.print_line(record.getMessage(), to_stderr=True)


def format_duration(seconds: float) -> str:
    """Return a duration as H:MM:SS, or as M:SS below an hour."""
    minutes, second = divmod(int(seconds + 0.5), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"
