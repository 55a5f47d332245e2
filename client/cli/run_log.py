"""The log: one line of JSON for each photo."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from client.cli.atomic_write import CannotWrite
from client.cli.task import Outcome
from client.errors import ServerError


class Journal:
    """Add a line to a file for each outcome; without a file, do nothing.

    raises: CannotWrite
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered, so that a line is in the file as soon as its photo is done.
            self._file = path.open("ab", buffering=0)
            self._file.write(b"\n" if ends_in_half_a_line(path) else b"")
        except OSError as error:
            raise CannotWrite(path, error) from error

    def write(self, outcome: Outcome) -> None:
        """Add the line of one photo.

        raises: CannotWrite
        """
        if self._file is None:
            return
        try:
            line = json.dumps(as_json(outcome), ensure_ascii=False) + "\n"
            # A file name that is not UTF-8 comes out as JSON's own escape.
            self._file.write(line.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise CannotWrite(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def ends_in_half_a_line(path: Path) -> bool:
    """Tell whether an earlier run was killed while it wrote a line."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Put an outcome into words and numbers; what does not apply is left out."""
    answer, error = outcome.answer, outcome.error
    line: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "photo": outcome.job.name,
        "status": outcome.status,
    }
    if outcome.status in ("done", "skipped"):
        line["result"] = str(outcome.job.result) if outcome.job.result else None
    if answer is not None:
        line |= {
            "size_wh": answer.size_wh,
            "round_trip_ms": round(answer.round_trip_ms, 1),
            "server_timing_ms": answer.server_timing_ms,
            "model": answer.model,
            "cold_start": answer.cold_start,
            "tries": answer.tries,
        }
        if answer.sent_wh:
            line["sent_wh"] = answer.sent_wh
    if error is not None:
        line |= {"code": error.code, "detail": error.detail, "tries": error.tries}
        if isinstance(error, ServerError):
            line["http_status"] = error.status
    return line
