"""What the commands share: one-line errors, a progress bar, atomic file writes and silenced native output."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from model.errors import SilhouetteError

Item = TypeVar("Item")

BAR_WIDTH = 30  # characters
REDRAW_INTERVAL_S = 0.1


class CommandError(Exception):
    """A command cannot continue. The text is the one line that the user reads."""


def run(main: Callable[[Sequence[str] | None], None]) -> None:
    """Run a command's main function; on an error, print one line on stderr and exit with code 1.

    Args:
        main: The command, which parses sys.argv when it is given None.

    Raises:
        SystemExit: If the command fails (code 1) or is interrupted (code 130).
    """
    try:
        main(None)
    except (CommandError, SilhouetteError) as error:
        sys.exit(f"error: {one_line(str(error))}")
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed; run `make train-setup` to install the training pipeline")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'cannot write a file'}: {error.strerror or error}")
    except MemoryError:
        sys.exit("error: out of memory")
    except KeyboardInterrupt:
        sys.exit(130)


def one_line(text: str, limit: int = 500) -> str:
    """Return a text on one line, shortened to at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside the target, and rename it to the target if the block succeeds.

    If the block raises, the temporary file is deleted and the target stays as it was. Missing folders are created.

    Args:
        target: The file to write.

    Yields:
        A path with the target's suffix, by which Keras chooses the format.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_atomic(target: Path, content: str | bytes) -> None:
    """Write a file completely or not at all.

    Args:
        target: The file to write; missing folders are created.
        content: Bytes, or text that is encoded as UTF-8.
    """
    with atomic_path(target) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def progress(items: Sequence[Item], label: str) -> Iterator[Item]:
    """Yield the items, and show how many have been processed in a progress bar on stderr.

    Args:
        items: The items to yield.
        label: The text before the bar.

    Yields:
        Each item in turn.
    """
    bar = ProgressBar(label, len(items))
    for item in items:
        yield item
        bar.advance(1)
    bar.close()


class ProgressBar:
    """A progress bar on stderr, drawn only if stderr is a terminal.

    Attributes:
        label: The text before the bar.
        total: The amount at which the bar is full, in the unit of `advance`; 0 if it is unknown.
        completed: The amount so far.
        is_visible: Whether stderr is a terminal.
    """

    def __init__(self, label: str, total: int, completed: int = 0) -> None:
        self.label, self.total, self.completed = label, total, completed
        self.is_visible = sys.stderr.isatty()
        self._drawn_s = 0.0

    def advance(self, amount: int) -> None:
        """Add to the completed amount, and redraw the bar if the last drawing is old enough."""
        self.completed += amount
        if self.is_visible and time.monotonic() - self._drawn_s > REDRAW_INTERVAL_S:
            self._draw()

    def close(self) -> None:
        """Draw the final state and end the line."""
        if self.is_visible:
            self._draw()
            print(file=sys.stderr)

    def _draw(self) -> None:
        self._drawn_s = time.monotonic()
        fraction = min(1.0, self.completed / self.total) if self.total else 0.0
        filled = "#" * round(fraction * BAR_WIDTH)
        print(f"\r{self.label} [{filled:<{BAR_WIDTH}}] {fraction:4.0%}", end="", file=sys.stderr, flush=True)


@contextmanager
def silence_native_output() -> Iterator[None]:
    """Discard what C++ libraries write to the file descriptors of stdout and stderr during the block."""
    sys.stdout.flush()
    sys.stderr.flush()
    stdout, stderr = os.dup(1), os.dup(2)
    with open(os.devnull, "wb") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            os.close(stdout)
            os.close(stderr)
