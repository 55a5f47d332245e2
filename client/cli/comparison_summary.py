"""The summary of a comparison of two functions: agreement, times, cold starts."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..result import SegmentResult
from .agreement import ComparedResult
from .disagreement_sheet import MOST_ROWS, ComparedPhoto
from .job import Outcome


@dataclass
class SideSummary:
    """The times of one of the two functions.

    Attributes:
        option: The option that names the function.
        model: `X-Model` of its latest response.
        cold_starts: Number of its instances that started.
        round_trips_ms: Round-trip times without those of cold starts, in milliseconds.
    """

    option: str
    model: str = ""
    cold_starts: int = 0
    round_trips_ms: list[float] = field(default_factory=list)

    def add(self, result: SegmentResult) -> None:
        """Add the response for one photo."""
        self.model = result.model
        if result.cold_start:
            self.cold_starts += 1
        else:
            self.round_trips_ms.append(result.round_trip_ms)

    def line(self) -> str:
        """Return the line of the table."""
        times = ["-", "-"]
        if self.round_trips_ms:
            times = [f"{ms:.1f}" for ms in np.percentile(self.round_trips_ms, (50, 95), method="inverted_cdf")]
        return f"{self.option:12}{times[0]:>10}{times[1]:>10}{self.cold_starts:>13}  {self.model}"


@dataclass
class ComparisonSummary:
    """What is kept of the compared photos. Threads may share it.

    Attributes:
        agreements: The agreement of each photo, 0 to 1.
        worst: The photos whose masks agree least, the worst first.
        new: The times of --url.
        reference: The times of --against.
    """

    agreements: list[float] = field(default_factory=list)
    worst: list[ComparedPhoto] = field(default_factory=list)
    new: SideSummary = field(default_factory=lambda: SideSummary("--url"))
    reference: SideSummary = field(default_factory=lambda: SideSummary("--against"))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def mean(self) -> float:
        """The mean agreement."""
        return float(np.mean(self.agreements))

    def add(self, outcome: Outcome) -> None:
        """Add a photo, if it was compared."""
        result = outcome.response
        if not isinstance(result, ComparedResult):
            return
        with self._lock:
            self.agreements.append(result.agreement)
            self.new.add(result)
            self.reference.add(result.reference)
            self.worst.append(ComparedPhoto(Path(outcome.job.name), result))
            self.worst = sorted(self.worst, key=lambda each: (each.result.agreement, each.photo))[:MOST_ROWS]

    def lines(self) -> list[str]:
        """Return the agreement and a table of both functions' times as lines of text."""
        first = self.worst[0]
        return [
            f"mean IoU {self.mean:.4f} over {len(self.agreements)} photo(s), "
            f"lowest {first.result.agreement:.4f} ({first.photo})",
            f"{'function':12}{'median ms':>10}{'p95 ms':>10}{'cold starts':>13}  model",
            self.new.line(),
            self.reference.line(),
        ]
