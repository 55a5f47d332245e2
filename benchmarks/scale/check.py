"""The simulation beside a measured run on loopback: before it is believed further out, it must reproduce that.

The run is the line of JSON that `python -m tests.stress.bucket_chaos` prints; `brought_over` gives it the keys
that are used here. service_ms is the time of a delivery from its sending to its answer, at the concurrency of that
moment.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.scale.fleet import Fleet
from benchmarks.scale.simulation import Outcome, Sender, Simulation
from benchmarks.scale.work import Floats, Work, failures, spread

NEAR_ENOUGH = 0.15
SEED = 1
# Of tests/stress/bucket_chaos, which does not print them: how late an event may be, and the pauses before it comes
# again, of which it draws a part, half in the mean.
LATEST_S, FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.5, 0.1, 3.0


def brought_over(told: dict[str, Any]) -> dict[str, Any]:
    """Give a line of the proof the keys of this room: what it was given and met, and the figures to reproduce."""
    if "service_ms_sample" in told:
        return told
    kinds = [kind for kind in told["service_ms"].values() if kind["count"]]
    answered = told["deliveries"] - told["statuses"].get("0", 0)
    start_s = told["start_ms"].get("mean", 0.0) / 1000
    return {
        **{name: told[name] for name in ("processes", "in_flight", "wall_s", "deliveries")},
        "photos": told["events"],
        "photos_per_s": told["events"] / told["wall_s"],
        "concurrency": told["in_flight"],
        "ahead": told["events_ahead"],
        "late_s": LATEST_S,
        # What an upload takes its only uploader; two events of one upload share it.
        "pace_s": told["upload_ms"] / 1000 * told["events"] / (told["events"] + told["duplicates"]),
        "in_turn": True,
        # The killer waits for the process to be back before it counts again.
        "kill_every_s": told["kill_every_s"] + start_s,
        "restart_s": start_s,
        "retry_s": FIRST_PAUSE_S,
        "retry_most_s": LONGEST_PAUSE_S / 2,
        "duplicate_share": told["duplicates"] / told["events"],
        "storage_calls": 1,
        "storage_failure_share": told["statuses"].get("503", 0) / answered,
        "service_ms_sample": [time for kind in kinds for time in drawn_evenly(kind)],
    }


def drawn_evenly(kind: dict[str, Any]) -> list[float]:
    """Give as many times as were measured, from their quantiles."""
    quantiles = kind["quantiles"]
    places = (np.arange(kind["count"]) + 0.5) / kind["count"] * (len(quantiles) - 1)
    times: list[float] = np.interp(places, np.arange(len(quantiles)), quantiles).tolist()
    return times


def simulate(run: dict[str, Any], seed: int = SEED) -> Outcome:
    """Simulate the run with its own inputs: processes that are there from the start, and are killed in turn."""
    pause_s = float(run.get("retry_s", 0))
    most_s = float(run.get("retry_most_s", pause_s))
    sender = Sender(
        run["in_flight"], run["in_flight"], pause_s, most_s, ahead=run.get("ahead", 0), pace_s=run.get("pace_s", 0)
    )
    fleet = Fleet(
        most=run["processes"],
        ready=run["processes"],
        cpus=run["concurrency"],
        concurrency=run["concurrency"],
        start_s=run["restart_s"],
        queue_s=math.inf,
        idle_s=math.inf,
        kill_every_s=run["kill_every_s"],
        in_turn=run.get("in_turn", False),
    )
    return Simulation(work(run, seed), sender, fleet).run()


def work(run: dict[str, Any], seed: int) -> Work:
    """Draw the run's deliveries: all due at once, in any order, some of them twice."""
    rng = np.random.default_rng(seed)
    photos = run["photos"]
    first = np.arange(photos)
    again = first[rng.random(photos) < run["duplicate_share"]]
    late_s = np.concatenate([rng.uniform(0, 1, photos), rng.uniform(0, 2, len(again))]) * run.get("late_s", 0)
    photo = np.concatenate([first, again])
    order = rng.permutation(len(photo))
    spoilt = 1 - (1 - run["storage_failure_share"]) ** run.get("storage_calls", 2)
    # What a process does at once is in service_ms already, so that nothing is left to wait for its CPUs.
    return Work(
        late_s[order],
        photo[order],
        0.0,
        np.zeros(photos),
        service_s(run, rng),
        failures(spoilt, photos, rng),
    )


def service_s(run: dict[str, Any], rng: np.random.Generator) -> Floats:
    """Draw each photo's time: from the sample, or from the curve of its percentiles where there is none."""
    if run.get("service_ms_sample"):
        sample = np.array(run["service_ms_sample"], dtype=np.float64)
        drawn: Floats = sample[rng.integers(len(sample), size=run["photos"])]
        return drawn / 1000
    return spread(run["service_ms"]["p50"], run["service_ms"]["p95"], run["photos"], rng) / 1000


def compare(run: dict[str, Any], outcome: Outcome) -> list[tuple[str, float, float, float]]:
    """Hold both beside each other: name, measured, simulated, and how far off as a share of the measured."""
    simulated = {
        "wall_s": outcome.answered_s,
        "photos_per_s": run["photos"] / outcome.answered_s,
        "deliveries": float(outcome.deliveries),
    }
    return [(name, float(run[name]), value, value / run[name] - 1) for name, value in simulated.items()]


def reproduces(rows: list[tuple[str, float, float, float]]) -> bool:
    """Tell whether every figure is near enough."""
    return all(abs(off) <= NEAR_ENOUGH for _, _, _, off in rows)
