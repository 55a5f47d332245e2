"""The check of the simulation against a measured run on this machine.

A run is the line of JSON that `python -m tests.stress.bucket_chaos` prints. Its `service_ms` is the time from sending a
delivery to its response, so it includes the wait for a CPU at the concurrency of the run.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.scale.fleet import Fleet
from benchmarks.scale.simulation import Outcome, Sender, Simulation
from benchmarks.scale.workload import Floats, Workload, failures

TOLERANCE = 0.15
SEED = 1
# Constants of tests/stress/bucket_chaos: the maximum delay of an event, and the bounds of its backoff, of which half is
# waited on average.
MAX_DELAY_S, MIN_BACKOFF_S, MAX_BACKOFF_S = 1.5, 0.1, 3.0


def simulate(run: dict[str, Any], seed: int = SEED) -> Outcome:
    """Simulate a measured run: processes that exist from the start, and are killed in turn."""
    restart_s = run["start_ms"].get("mean", 0.0) / 1000
    sender = Sender(
        run["in_flight"],
        run["in_flight"],
        MIN_BACKOFF_S,
        MAX_BACKOFF_S / 2,
        lookahead=run["events_ahead"],
        # One uploader; a duplicate is a second event of the same upload.
        upload_s=run["upload_ms"] / 1000 * run["events"] / (run["events"] + run["duplicates"]),
    )
    fleet = Fleet(
        max_instances=run["processes"],
        ready=run["processes"],
        cpus=1,
        concurrency=run["in_flight"],
        start_s=restart_s,
        queue_s=math.inf,
        idle_s=math.inf,
        # The next interval starts when the killed process has restarted.
        kill_every_s=run["kill_every_s"] and run["kill_every_s"] + restart_s,
        round_robin=True,
    )
    return Simulation(workload(run, seed), sender, fleet).run()


def workload(run: dict[str, Any], seed: int) -> Workload:
    """Draw the deliveries of a run, in random order, each after its own delay; some photos are delivered twice."""
    rng = np.random.default_rng(seed)
    photos = run["events"]
    duplicates = np.arange(photos)[rng.random(photos) < run["duplicates"] / photos]
    photo = np.concatenate([np.arange(photos), duplicates])
    delay_s = np.concatenate([rng.uniform(0, 1, photos), rng.uniform(0, 2, len(duplicates))]) * MAX_DELAY_S
    order = rng.permutation(len(photo))
    sample_s = service_sample_s(run)
    failure_share = run["statuses"].get("503", 0) / (run["deliveries"] - run["statuses"].get("0", 0))
    return Workload(
        delay_s[order],
        photo[order],
        0.0,
        np.zeros(photos),  # the service time includes the CPU time
        sample_s[rng.integers(len(sample_s), size=photos)],
        failures(failure_share, photos, rng),
    )


def service_sample_s(run: dict[str, Any]) -> Floats:
    """Return service times in seconds, as many as were measured, from the quantiles of each outcome."""
    parts = []
    for measured in run["service_ms"].values():
        if measured["count"]:
            quantiles = measured["quantiles"]
            positions = (np.arange(measured["count"]) + 0.5) / measured["count"] * (len(quantiles) - 1)
            parts.append(np.interp(positions, np.arange(len(quantiles)), quantiles))
    sample_s: Floats = np.concatenate(parts) / 1000
    return sample_s


def compare(run: dict[str, Any]) -> list[tuple[str, float, float, float]]:
    """Simulate a run; return name, measured value, simulated value and relative error of each figure."""
    outcome = simulate(run)
    figures = (
        ("wall_s", run["wall_s"], outcome.end_s),
        ("photos_per_s", run["events"] / run["wall_s"], run["events"] / outcome.end_s),
        ("deliveries", run["deliveries"], outcome.deliveries),
    )
    return [(name, measured, simulated, simulated / measured - 1) for name, measured, simulated in figures]
