"""An environment of its own for each contestant, under the cache."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import venv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.options import CACHE, Options
from benchmarks.harness.progress import Progress
from benchmarks.harness.servers import ALL, Contestant

HERE_TOO = ("ours", "naive", "ok")  # what this Python can run where nothing is to be installed
INSTALL_S = 1800


class CannotInstall(Exception):
    """The installer's own last word."""


@dataclass
class Field:
    """Who takes part, by which interpreter, and who is absent and why."""

    present: list[Contestant] = field(default_factory=list)
    pythons: dict[str, Path] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def miss(self, contestant: Contestant, reason: Exception) -> None:
        """Go on without a contestant; without ours there is nothing to go on with.

        raises: the reason
        """
        if contestant.name == "ours":
            raise reason
        self.absent[contestant.name] = str(reason)
        if contestant in self.present:
            self.present.remove(contestant)


def prepare(names: Iterable[str], options: Options) -> Field:
    """Make every contestant ready to start, or note why it is absent."""
    ready = Field()
    wanted = [ALL[name] for name in names]
    progress = Progress("install", len(wanted))
    for contestant in wanted:
        try:
            if options.only and contestant.name not in ("ours", *options.only):
                raise CannotInstall("not asked for")
            ready.pythons[contestant.name] = interpreter(contestant, options)
            ready.present.append(contestant)
        except CannotInstall as reason:
            ready.miss(contestant, reason)
        progress.step(contestant.title)
    return ready


def interpreter(contestant: Contestant, options: Options) -> Path:
    """Give the Python that has a contestant's packages.

    raises: CannotInstall
    """
    if contestant.name == "older" and options.older_python:
        return options.older_python.absolute()
    if not options.install:
        if contestant.name not in HERE_TOO:
            raise CannotInstall("nothing was to be installed")
        return Path(sys.executable)
    return installed(contestant.requirements, CACHE / "venvs" / contestant.name)


def installed(requirements: Path, folder: Path) -> Path:
    """Install a list of pins into a folder, unless they are there already.

    returns: the folder's interpreter
    raises: CannotInstall
    """
    python = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    venv.create(folder, clear=True, with_pip=False, symlinks=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    try:
        done = subprocess.run(
            [*command, "-r", str(requirements)], capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise CannotInstall(f"not installed after {INSTALL_S // 60} minutes") from None
    if done.returncode:
        raise CannotInstall(last_word(done.stderr))
    stamp.write_text(wanted)
    return python


def last_word(errors: str) -> str:
    """Give the last error of an installer's output, without addresses and paths."""
    lines = [line for line in errors.splitlines() if line.startswith("ERROR")] or ["no reason given"]
    return re.sub(r"\S+://\S+|(?<=\s)/\S+", "...", lines[-1])[:200]
