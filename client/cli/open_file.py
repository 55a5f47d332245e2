"""Opening a result with whatever this system opens pictures with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def show(path: Path) -> str | None:
    """Open a file or a folder, and do not wait; say what is wrong where nothing can open it."""
    if sys.platform == "win32":
        os.startfile(path)
        return None
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None:
        return f"nothing here opens pictures; the result is {path}"
    quiet = subprocess.DEVNULL
    subprocess.Popen([opener, str(path)], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    return None
