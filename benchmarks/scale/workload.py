"""The workload: when each photo is delivered, and how long it takes. All random numbers come from one seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.scale.inputs import Inputs

DAY_S = 86400.0
MEAN_DUPLICATE_LAG_S = 30.0
Z_95 = 1.6449  # 95th percentile of the standard normal distribution
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Workload:
    """D deliveries of P photos, each of which is delivered at least once.

    Attributes:
        due_s: When each delivery may be sent, float64 (D,), sorted.
        photo: The photo of each delivery, int64 (D,).
        read_s: Time to read a photo. It is the same for all, so that photos reach the CPU in the order of arrival.
        cpu_s: CPU time of each photo, float64 (P,).
        write_s: Time to write each mask, float64 (P,).
        failures: Deliveries of each photo that fail before one succeeds, int64 (P,).
    """

    due_s: Floats
    photo: Ints
    read_s: float
    cpu_s: Floats
    write_s: Floats
    failures: Ints

    def first_due_s(self) -> Floats:
        """Return when each photo is first due, float64 (P,)."""
        first = np.empty(len(self.cpu_s))
        first[self.photo[::-1]] = self.due_s[::-1]
        return first


def make(pattern: str, photos: int, inputs: Inputs, seed: int) -> Workload:
    """Draw the workload of a pattern: `backfill`, `burst` or `day`."""
    rng = np.random.default_rng(seed)
    function = inputs["function"]
    due_s = arrivals(pattern, photos, inputs, rng)
    due_s, photo = with_duplicates(due_s, 0.0 if pattern == "backfill" else inputs["events"]["duplicate_share"], rng)
    return Workload(
        due_s,
        photo,
        function["read_ms"] / 1000,
        log_normal(function["cpu_ms_p50"], function["cpu_ms_p50"] * function["cpu_ms_spread"], photos, rng)
        * function["cpu_factor"]
        / 1000,
        log_normal(function["write_ms_p50"], function["write_ms_p95"], photos, rng) / 1000,
        failures(function["failure_share"], photos, rng),
    )


def arrivals(pattern: str, photos: int, inputs: Inputs, rng: np.random.Generator) -> Floats:
    """Draw when the first event of each photo may be sent, float64 (P,), sorted."""
    if pattern == "backfill":
        return np.arange(photos) / float(inputs["backfill"]["sends_per_s"])
    if pattern == "burst":
        return np.sort(rng.uniform(0, inputs["arrivals"]["burst_s"], photos))
    clock = np.linspace(0, DAY_S, 1441)
    # The integral of the rate 1 - swing cos(2 pi t): quiet at midnight, busiest at noon.
    swing = inputs["arrivals"]["day_swing"]
    cumulative = clock / DAY_S - swing * np.sin(2 * np.pi * clock / DAY_S) / (2 * np.pi)
    times: Floats = np.interp(np.sort(rng.uniform(0, 1, photos)), cumulative, clock)
    return times


def with_duplicates(due_s: Floats, share: float, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Deliver a share of the photos twice; return when each delivery is due, and its photo."""
    photo = np.arange(len(due_s))
    duplicates = photo[rng.random(len(due_s)) < share]
    later = due_s[duplicates] + rng.exponential(MEAN_DUPLICATE_LAG_S, len(duplicates))
    times, photos = np.concatenate([due_s, later]), np.concatenate([photo, duplicates])
    order = np.argsort(times, kind="stable")
    return times[order], photos[order]


def log_normal(p50: float, p95: float, count: int, rng: np.random.Generator) -> Floats:
    """Draw from the log-normal distribution with this median and this 95th percentile."""
    factors: Floats = np.exp(rng.standard_normal(count) * math.log(p95 / p50) / Z_95)
    return p50 * factors


def failures(share: float, count: int, rng: np.random.Generator) -> Ints:
    """Draw how many deliveries fail before one succeeds, if each fails with this probability."""
    return rng.geometric(1 - share, count) - 1
