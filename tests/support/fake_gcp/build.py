"""What Cloud Build's Python buildpack does with an upload: unpack it, install what it asks for, hashes and all."""

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
    """The build ended with an error; its text is the build's log."""


def unpack(upload: bytes, folder: Path) -> None:
    """Unpack an upload.

    raises: BuildFailed
    """
    try:
        with zipfile.ZipFile(io.BytesIO(upload)) as archive:
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise BuildFailed("failed to extract the source archive") from error


def install(source: Path, runtime: str) -> Path:
    """Make the virtual environment that requirements.txt asks for.

    The environment is kept, named by what went into it, so that a second deploy of the same needs no minute. Where
    two rehearsals run at once, one makes it and the other waits.
    returns: its python
    raises: BuildFailed
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
    """Find the Python that a runtime names: python311 is 3.11.

    raises: BuildFailed
    """
    version = f"{runtime[6]}.{runtime[7:]}"
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"))]
    for python in found:
        if python and subprocess.run([python, "-c", "import ensurepip"], capture_output=True).returncode == 0:
            return Path(python)
    raise BuildFailed(f"there is no Python {version} on this machine")


def run(command: list[str]) -> None:
    """Run one step of the build.

    raises: BuildFailed
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildFailed((done.stderr or done.stdout).strip()[-1500:])
