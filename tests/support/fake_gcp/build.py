"""The build of an upload, as by Cloud Build's Python buildpack: unpack it, and install its locked requirements."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.paths import ROOT

CACHE = ROOT / "build" / "cloud"


class BuildFailed(Exception):
    """The build failed; the message is the end of its log."""


def unpack(upload: bytes, folder: Path) -> None:
    """Unpack an upload.

    Args:
        upload: A ZIP archive.
        folder: Where its files go.

    Raises:
        BuildFailed: If the upload is not a ZIP archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(upload)) as archive:
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise BuildFailed("failed to extract the source archive") from error


def install(source: Path, runtime: str) -> Path:
    """Create the virtual environment of a function from its requirements.txt.

    Environments are cached by runtime and requirements. A lock lets concurrent builds share the cache.

    Args:
        source: The unpacked upload.
        runtime: As in python311.

    Returns:
        The Python of the environment.

    Raises:
        BuildFailed: If a required file is missing, or the installation fails.
    """
    requirements = source / "requirements.txt"
    if not requirements.is_file() or not (source / "main.py").is_file():
        raise BuildFailed("missing main.py or requirements.txt")
    digest = hashlib.sha256(runtime.encode() + requirements.read_bytes()).hexdigest()[:16]
    venv = CACHE / f"{runtime}-{digest}"
    python = venv / "bin" / "python"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (venv / "complete").exists():
            return python
        shutil.rmtree(venv, ignore_errors=True)
        run([str(find_python(runtime)), "-m", "venv", str(venv)])
        run([str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(requirements)])
        (venv / "complete").touch()
    return python


def find_python(runtime: str) -> Path:
    """Return the Python interpreter for a runtime: 3.11 for python311.

    Raises:
        BuildFailed: If this machine has no such interpreter.
    """
    version = f"{runtime[6]}.{runtime[7:]}"
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"))]
    for python in candidates:
        if python and subprocess.run([python, "-c", "import ensurepip"], capture_output=True).returncode == 0:
            return Path(python)
    raise BuildFailed(f"there is no Python {version} on this machine")


def run(command: list[str]) -> None:
    """Run a step of the build.

    Raises:
        BuildFailed: If the command fails.
    """
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode != 0:
        raise BuildFailed((process.stderr or process.stdout).strip()[-1500:])
