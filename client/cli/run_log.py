"""The log of a run: one line of JSON per photo."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import ServerError
from ..response import ResponseMetadata
from ..result import SegmentResult
from .agreement import ComparedResult
from .atomic_write import CannotWrite
from .job import Outcome
from .terminal import escape


class RunLog:
    """Appends a line to a file for each outcome; does nothing without a file."""

    def __init__(self, path: Path | None) -> None:
        """Open the file, creating its folder if it is missing.

        Raises:
            CannotWrite: If the file cannot be opened.
        """
        self._path = path
        self._file: BinaryIO | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered, so that a line is on disk as soon as its photo is done.
            self._file = path.open("ab", buffering=0)
            self._file.write(b"\n" if _ends_in_partial_line(path) else b"")
        except OSError as error:
            raise CannotWrite(path, error) from error

    def write(self, outcome: Outcome) -> None:
        """Append the line of one photo.

        Raises:
            CannotWrite: If the operating system reports an error.
        """
        if self._file is None:
            return
        try:
            # Control characters, and file names that are not UTF-8, are written with JSON's own escapes.
            line = escape(json.dumps(_as_json(outcome), ensure_ascii=False))
            self._file.write(line.encode() + b"\n")
        except OSError as error:
            raise CannotWrite(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _ends_in_partial_line(path: Path) -> bool:
    """Return whether an earlier run was killed while it wrote a line."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _as_json(outcome: Outcome) -> dict[str, Any]:
    """Return the JSON object of an outcome, without keys that do not apply."""
    response, error = outcome.response, outcome.error
    line: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "photo": outcome.job.name,
        "status": outcome.status,
    }
    if outcome.status in ("done", "skipped") and not isinstance(response, ComparedResult):
        line["result"] = str(outcome.job.destination) if outcome.job.destination else None
    if response is not None:
        line |= {"size_wh": response.size_wh if isinstance(response, SegmentResult) else None, **_measured(response)}
        if isinstance(response, SegmentResult) and response.sent_wh:
            line["sent_wh"] = response.sent_wh
    if isinstance(response, ComparedResult):
        line["agreement"] = round(response.agreement, 6)
        line["against"] = _measured(response.reference)
    if error is not None:
        line |= {"code": error.code, "detail": error.detail, "tries": error.tries}
        if isinstance(error, ServerError):
            line["http_status"] = error.status
    return line


def _measured(response: ResponseMetadata) -> dict[str, Any]:
    """Return what the log keeps of every response."""
    return {
        "round_trip_ms": round(response.round_trip_ms, 1),
        "server_timing_ms": response.server_timing_ms,
        "model": response.model,
        "cold_start": response.cold_start,
        "tries": response.tries,
    }
