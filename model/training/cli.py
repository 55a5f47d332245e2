"""What every step has in common: one line where it fails, a bar where it is long, files whole or not there."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from model.errors import SilhouetteError

Item = TypeVar("Item")

BAR_WIDTH = 30
REDRAW_S = 0.1


class StepError(Exception):
    """A step cannot go on. Its text is the one line that the user reads."""


def run(main: Callable[[Sequence[str] | None], None]) -> None:
    """Run a step's main, and end the process: 0 when it worked, 1 with one line on stderr when not."""
    try:
        main(None)
    except (StepError, SilhouetteError) as error:
        sys.exit(f"error: {one_line(str(error))}")
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed; `make train-setup` installs what the workshop needs")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'writing'}: {error.strerror or error}")
    except MemoryError:
        sys.exit("error: not enough memory")
    except KeyboardInterrupt:
        sys.exit(130)


def one_line(text: str, limit: int = 500) -> str:
    """Bring an exception's text to one line of at most limit characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Lend a temporary name beside the target, and rename it to the target only if the block ends well.

    The name keeps the target's suffix, since Keras goes by it. Folders that are missing are made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write(target: Path, content: str | bytes) -> None:
    """Write a whole file or none."""
    with whole(target) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def progress(items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
    """Hand the items on, and draw a bar on stderr where that is a terminal."""
    count = total if total is not None else len(items) if isinstance(items, Sequence) else 0
    bar = Bar(label, count)
    for item in items:
        yield item
        bar.advance(1)
    bar.close()


class Bar:
    """A progress bar on stderr; silent where that is no terminal.

    total: in the unit that advance counts; 0 where nobody knows
    shown: whether stderr is a terminal
    """

    def __init__(self, label: str, total: int, done: int = 0) -> None:
        self.label, self.total, self.done = label, total, done
        self.shown = sys.stderr.isatty()
        self._drawn_s = 0.0

    def advance(self, amount: int) -> None:
        """Count on, and redraw now and then."""
        self.done += amount
        if self.shown and time.monotonic() - self._drawn_s > REDRAW_S:
            self._draw()

    def close(self) -> None:
        """Draw the last state and leave the line."""
        if self.shown:
            self._draw()
            print(file=sys.stderr)

    def _draw(self) -> None:
        self._drawn_s = time.monotonic()
        share = min(1.0, self.done / self.total) if self.total else 0.0
        filled = "#" * round(share * BAR_WIDTH)
        print(f"\r{self.label} [{filled:<{BAR_WIDTH}}] {share:4.0%}", end="", file=sys.stderr, flush=True)


@contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Keep what libraries of C++ write to stdout and stderr from the terminal.

    yields: a function that gives what was written so far
    """
    sys.stdout.flush(), sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 1), os.dup2(log.fileno(), 2)
        try:
            yield lambda: os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace")
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            os.dup2(saved[0], 1), os.dup2(saved[1], 2)
            for descriptor in saved:
                os.close(descriptor)
