"""What became of all of them, in a few lines."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

from client.cli.task import Outcome
from client.errors import ClientError

MOST_REASONS = 20
NAMES_PER_REASON = 3


@dataclass
class Summary:
    """Count outcomes as they come."""

    total: int
    done: int = 0
    skipped: int = 0
    failed: int = 0
    tried_again: int = 0
    cold_starts: int = 0
    round_trips_ms: list[float] = field(default_factory=list)
    reasons: dict[str, list[Outcome]] = field(default_factory=lambda: defaultdict(list))

    @property
    def asked(self) -> int:
        return self.done + self.failed

    @property
    def left(self) -> int:
        return self.total - self.done - self.skipped - self.failed

    def add(self, outcome: Outcome) -> None:
        """Count one photo; a stopped one counts as left."""
        if outcome.status == "done":
            self.done += 1
        elif outcome.status == "skipped":
            self.skipped += 1
        elif outcome.status == "failed":
            self.failed += 1
            self.reasons[reason(outcome)].append(outcome)
        if outcome.answer is not None:
            self.round_trips_ms.append(outcome.answer.round_trip_ms)
            self.cold_starts += outcome.answer.cold_start
            self.tried_again += outcome.answer.tries > 1

    def lines(self, elapsed_s: float) -> list[str]:
        """Write the summary."""
        lines = [f"done {self.done}, skipped {self.skipped}, failed {self.failed}"]
        if self.left:
            lines[0] += f", left {self.left} (the same command goes on with them)"
        if self.round_trips_ms:
            p50, p95 = percentile(self.round_trips_ms, 50), percentile(self.round_trips_ms, 95)
            lines.append(
                f"{elapsed_s:.1f} s, {self.asked / max(elapsed_s, 1e-9):.1f} photos/s; round trip p50 {p50:.0f} ms,"
                f" p95 {p95:.0f} ms; cold starts {self.cold_starts}; tried again {self.tried_again}"
            )
        by_number = sorted(self.reasons.items(), key=lambda item: -len(item[1]))
        for why, outcomes in by_number[:MOST_REASONS]:
            names = ", ".join(outcome.job.name for outcome in outcomes[:NAMES_PER_REASON])
            more = f" and {len(outcomes) - NAMES_PER_REASON} more" if len(outcomes) > NAMES_PER_REASON else ""
            lines.append(f"  failed {len(outcomes)} x {why}: {names}{more}")
        return lines


def reason(outcome: Outcome) -> str:
    """Name what a failure has in common with others."""
    return outcome.error.code if isinstance(outcome.error, ClientError) else "unknown"


def percentile(values: list[float], percent: float) -> float:
    """Give the smallest value that so many per cent of all do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
