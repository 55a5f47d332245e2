"""The summary of a run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from .job import Outcome

MOST_REASONS = 20
NAMES_PER_REASON = 3


@dataclass
class Summary:
    """Counts of a run, updated with each outcome.

    Attributes:
        total: Number of photos in the run.
        resumable: Whether the same command continues the run.
        done: Number of photos with a new result.
        skipped: Number of photos that had a result.
        failed: Number of photos that failed.
        retried: Number of done photos that needed more than one try.
        cold_starts: Number of server instances that started during the run.
        round_trips_ms: Round-trip time of each done photo, in milliseconds.
        failures: Failed outcomes by error code.
    """

    total: int
    resumable: bool = True
    done: int = 0
    skipped: int = 0
    failed: int = 0
    retried: int = 0
    cold_starts: int = 0
    round_trips_ms: list[float] = field(default_factory=list)
    failures: dict[str, list[Outcome]] = field(default_factory=lambda: defaultdict(list))

    @property
    def processed(self) -> int:
        """Number of photos that were done or failed."""
        return self.done + self.failed

    @property
    def remaining(self) -> int:
        """Number of photos that are left for the next run."""
        return self.total - self.done - self.skipped - self.failed

    def add(self, outcome: Outcome) -> None:
        """Count one outcome; a stopped job counts as remaining."""
        if outcome.status == "done":
            self.done += 1
        elif outcome.status == "skipped":
            self.skipped += 1
        elif outcome.status == "failed":
            self.failed += 1
            self.failures[outcome.error.code if outcome.error else "unknown"].append(outcome)
        if outcome.response is not None:
            self.round_trips_ms.append(outcome.response.round_trip_ms)
            self.cold_starts += outcome.response.cold_start
            self.retried += outcome.response.tries > 1

    def lines(self, elapsed_s: float) -> list[str]:
        """Return the summary as lines of text.

        Args:
            elapsed_s: Duration of the run in seconds.

        Returns:
            Counts, then rate and latency, then the failures by error code, most frequent first.
        """
        lines = [f"done {self.done}, skipped {self.skipped}, failed {self.failed}"]
        if self.remaining:
            hint = " (run the same command to continue)" if self.resumable else ""
            lines[0] += f", remaining {self.remaining}{hint}"
        if self.round_trips_ms:
            p50, p95 = np.percentile(self.round_trips_ms, (50, 95), method="inverted_cdf")
            lines.append(
                f"{elapsed_s:.1f} s, {self.processed / max(elapsed_s, 1e-9):.1f} photos/s; round trip p50 {p50:.0f} ms,"
                f" p95 {p95:.0f} ms; cold starts {self.cold_starts}; retried {self.retried}"
            )
        by_count = sorted(self.failures.items(), key=lambda item: -len(item[1]))
        lines += [_failure_line(code, outcomes) for code, outcomes in by_count[:MOST_REASONS]]
        return lines


def _failure_line(code: str, outcomes: list[Outcome]) -> str:
    names = ", ".join(outcome.job.name for outcome in outcomes[:NAMES_PER_REASON])
    more = f" and {len(outcomes) - NAMES_PER_REASON} more" if len(outcomes) > NAMES_PER_REASON else ""
    return f"  failed {len(outcomes)} x {code}: {names}{more}"
