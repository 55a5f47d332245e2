"""The system's image viewer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def open_in_viewer(path: Path) -> str | None:
    """Open a file or a folder with the system's default program, without waiting for it.

    Args:
        path: The file or folder.

    Returns:
        A message if no such program is installed, else None.
    """
    if sys.platform == "win32":
        os.startfile(path)
        return None
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None:
        return f"no image viewer is installed (xdg-open); the result is {path}"
    null = subprocess.DEVNULL
    subprocess.Popen([opener, str(path)], stdin=null, stdout=null, stderr=null, start_new_session=True)
    return None
