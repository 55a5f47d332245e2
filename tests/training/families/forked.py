"""Functions run in a forked process, so that a crash is a result, and TensorFlow is imported once for all."""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

TIMEOUT_S = 150


class Completed(NamedTuple):
    """How a process ended.

    Attributes:
        code: Its exit code; negative for a signal.
        output: What it wrote to stdout and stderr.
    """

    code: int
    output: str

    @property
    def last_line(self) -> str:
        """The last line of its output that is not empty, without the folders of this machine."""
        line = next((line for line in self.output.splitlines()[::-1] if line.strip()), "")
        return re.sub(r"(?<!\w)/(?:[\w.-]+/)+", "", line)


def run(target: Callable[[], None], log: Path) -> Completed:
    """Run a function in a forked process, with its output in a file; stop it after TIMEOUT_S."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _run_child(target, log)
    _, status = os.waitpid(pid, 0)
    return Completed(os.waitstatus_to_exitcode(status), log.read_text(errors="replace"))


def _run_child(target: Callable[[], None], log: Path) -> None:
    """Run the function and leave the process as Python would."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    signal.alarm(TIMEOUT_S)
    code = 0
    try:
        target()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def command(module: str, *arguments: object) -> Callable[[], None]:
    """Return a function that runs a command of the training pipeline as `python -m` does."""

    def main() -> None:
        import importlib

        from model.training import cli

        sys.argv = [module, *map(str, arguments)]
        cli.run(importlib.import_module(f"model.training.{module}").main)

    return main
