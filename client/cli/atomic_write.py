"""Output files, written atomically: each is complete or absent."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from pathlib import Path

from ..errors import ClientError


class CannotWrite(ClientError):
    """An output file cannot be written.

    Attributes:
        errno: The operating system's error number, which tells whether other files would fail too.
    """

    code = "cannot-write"

    def __init__(self, path: Path | None, error: OSError) -> None:
        super().__init__(f"cannot write {path or 'to standard output'}: {(error.strerror or str(error)).lower()}")
        self.errno = error.errno


def write_atomically(path: Path | None, data: bytes) -> None:
    """Write a file under a temporary name in the same folder and rename it.

    The temporary name is always the same, so that a run overwrites what a killed run has left behind. It is short,
    since the file's own name may have the greatest length that the file system allows.

    Args:
        path: The file, whose folder is created if it is missing; None for standard output.
        data: The content.

    Raises:
        CannotWrite: If the operating system reports an error, or a folder, device or pipe has the file's name.
    """
    try:
        if path is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is not a regular file")
        part = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.part")
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise CannotWrite(path, error) from error


def is_written(path: Path) -> bool:
    """Return whether an output file exists; an empty one, as a power failure leaves it, does not count."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
