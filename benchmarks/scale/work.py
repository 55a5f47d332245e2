"""What there is to do: which photo is delivered when, and what it takes. Every draw is made here, from one seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.scale.inputs import Inputs

DAY_S = 86400.0
DUPLICATE_LAG_S = 30.0
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Work:
    """Deliveries as they fall due, and what each photo takes however often it is delivered.

    due_s: float64 (D,), sorted; photo: int64 (D,), which one; every photo is there at least once
    cpu_s, write_s: float64 (P,); read_s is the same for all, so that the CPU is asked for in the order of arrival
    failures: int64 (P,), deliveries of the photo that fail before one succeeds
    """

    due_s: Floats
    photo: Ints
    read_s: float
    cpu_s: Floats
    write_s: Floats
    failures: Ints

    def first_s(self) -> Floats:
        """Say when each photo first falls due: float64 (P,)."""
        first = np.empty(len(self.cpu_s))
        first[self.photo[::-1]] = self.due_s[::-1]
        return first


def make(pattern: str, photos: int, inputs: Inputs, seed: int) -> Work:
    """Draw the work of one pattern: backfill, burst or day."""
    rng = np.random.default_rng(seed)
    function = inputs.function
    due_s = arrivals(pattern, photos, inputs, rng)
    share = 0.0 if pattern == "backfill" else inputs.events.duplicate_share
    due_s, photo = with_duplicates(due_s, share, rng)
    return Work(
        due_s,
        photo,
        function.read_ms / 1000,
        spread(function.cpu_ms_p50, function.cpu_ms_p95, photos, rng) * function.cpu_factor / 1000,
        spread(function.write_ms_p50, function.write_ms_p95, photos, rng) / 1000,
        failures(function.failure_share, photos, rng),
    )


def arrivals(pattern: str, photos: int, inputs: Inputs, rng: np.random.Generator) -> Floats:
    """Say when each photo's first event may be sent: float64 (P,), sorted."""
    if pattern == "backfill":
        return np.arange(photos) / inputs.backfill.sends_per_s
    if pattern == "burst":
        return np.sort(rng.uniform(0, inputs.arrivals.burst_s, photos))
    clock = np.linspace(0, DAY_S, 1441)
    # The integral of 1 - swing cos: the night is at both ends, the busiest moment in the middle.
    passed = clock / DAY_S - inputs.arrivals.day_swing * np.sin(2 * np.pi * clock / DAY_S) / (2 * np.pi)
    times: Floats = np.interp(np.sort(rng.uniform(0, 1, photos)), passed, clock)
    return times


def with_duplicates(due_s: Floats, share: float, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Deliver a share of the photos a second time, somewhat later."""
    photo = np.arange(len(due_s))
    again = photo[rng.random(len(due_s)) < share]
    later = due_s[again] + rng.exponential(DUPLICATE_LAG_S, len(again))
    times, photos = np.concatenate([due_s, later]), np.concatenate([photo, again])
    order = np.argsort(times, kind="stable")
    return times[order], photos[order]


def spread(p50: float, p95: float, count: int, rng: np.random.Generator) -> Floats:
    """Draw from the log-normal curve that has this median and this 95th percentile."""
    drawn: Floats = np.exp(rng.standard_normal(count) * math.log(p95 / p50) / 1.6449)
    return p50 * drawn


def failures(share: float, count: int, rng: np.random.Generator) -> Ints:
    """Draw how many deliveries fail before one succeeds, where each fails with this chance."""
    return rng.geometric(1 - share, count) - 1
