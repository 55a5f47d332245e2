"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from client.errors import ClientError


class CannotWrite(ClientError):
    """Say that a result could not be kept; errno tells whether the next one would fare better."""

    code = "cannot-write"

    def __init__(self, path: Path | None, error: OSError) -> None:
        super().__init__(f"cannot write {path or 'to standard output'}: {(error.strerror or str(error)).lower()}")
        self.errno = error.errno


def write_whole(path: Path | None, data: bytes) -> None:
    """Write under a temporary name in the same folder, then rename; None is standard output.

    The temporary name is the same each time, so that what a killed run leaves behind the next one writes over.
    raises: CannotWrite
    """
    try:
        if path is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise CannotWrite(path, error) from error


def is_written(path: Path) -> bool:
    """Tell whether a result is there; an empty file, left by a power cut, is none."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
