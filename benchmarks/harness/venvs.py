"""A virtual environment for each server and for the charts, under the cache folder."""

from __future__ import annotations

import fcntl
import hashlib
import re
import subprocess
import sys
import venv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.options import CACHE, Options
from benchmarks.harness.progress import ProgressBar
from benchmarks.harness.servers import SERVERS, ServerSpec

RUN_WITHOUT_INSTALL = ("ours", "naive", "ok")  # environments whose packages this one has
INSTALL_TIMEOUT_S = 1800


class InstallFailed(Exception):
    """An environment could not be installed; the message is the installer's last error."""


@dataclass
class ServerSet:
    """The servers of a benchmark run.

    Attributes:
        available: Servers that can be started.
        pythons: Interpreter of each available server, by its name.
        absent: Why each other server is absent, by its name.
    """

    available: list[ServerSpec] = field(default_factory=list)
    pythons: dict[str, Path] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def mark_absent(self, spec: ServerSpec, reason: Exception) -> None:
        """Continue without a competitor.

        Raises:
            Exception: The reason, if the server is ours.
        """
        if spec.name == "ours":
            raise reason
        self.absent[spec.name] = str(reason)
        if spec in self.available:
            self.available.remove(spec)


def prepare(names: Iterable[str], options: Options) -> ServerSet:
    """Install the named servers; one that cannot be installed is marked absent.

    Raises:
        InstallFailed: If our own server cannot be installed.
    """
    servers = ServerSet()
    specs = [SERVERS[name] for name in names]
    progress = ProgressBar("install", len(specs))
    for spec in specs:
        try:
            if options.only and spec.name not in ("ours", *options.only):
                raise InstallFailed("not selected by --only")
            servers.pythons[spec.name] = interpreter(spec, options)
            servers.available.append(spec)
        except InstallFailed as error:
            servers.mark_absent(spec, error)
        progress.step(spec.title)
    return servers


def interpreter(spec: ServerSpec, options: Options) -> Path:
    """Return a Python interpreter that has the packages of a server.

    Raises:
        InstallFailed: If they cannot be installed, or must not be (`--no-install`).
    """
    if spec.name == "flask_tensorflow" and options.flask_tensorflow_python:
        return options.flask_tensorflow_python.absolute()
    if not options.install:
        if spec.environment not in RUN_WITHOUT_INSTALL:
            raise InstallFailed("not installed (--no-install)")
        return Path(sys.executable)
    return install(spec.requirements, CACHE / "venvs" / spec.environment)


def install(requirements: Path, folder: Path) -> Path:
    """Create a virtual environment, unless it already has these requirements.

    Args:
        requirements: File of pinned requirements.
        folder: Folder of the environment; the version of this Python, which it gets, is appended to the name.

    Returns:
        The environment's interpreter.

    Raises:
        InstallFailed: If pip fails or takes more than half an hour.
    """
    folder = folder.with_name(f"{folder.name}-{sys.version_info.major}.{sys.version_info.minor}")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests run in parallel processes
        return _install(requirements, folder)


def _install(requirements: Path, folder: Path) -> Path:
    python = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    checksum = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == checksum:
        return python
    venv.create(folder, clear=True, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    try:
        done = subprocess.run(
            [*pip, "-r", str(requirements)], capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise InstallFailed(f"not installed after {INSTALL_TIMEOUT_S // 60} minutes") from None
    if done.returncode:
        raise InstallFailed(last_error(done.stderr))
    stamp.write_text(checksum)
    return python


def last_error(stderr: str) -> str:
    """Return the last error line of pip, with URLs and paths replaced by `...`."""
    lines = [line for line in stderr.splitlines() if line.startswith("ERROR")] or ["no reason given"]
    return re.sub(r"\S+://\S+|(?<=\s)/\S+", "...", lines[-1])[:200]
