"""One pattern under one limit, and a whole plan of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from benchmarks.harness.progress import Progress
from benchmarks.scale import fleet, work
from benchmarks.scale.bill import Usage, usd
from benchmarks.scale.inputs import Inputs
from benchmarks.scale.simulation import Outcome, Sender, Simulation
from benchmarks.scale.work import Floats

PATTERNS = ("backfill", "burst", "day")
LIMITS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000)


def plan(photos: int, limits: Sequence[int], inputs: Inputs, seed: int, processes: int) -> dict[str, Any]:
    """Simulate every pattern under every limit."""
    cells = [(pattern, limit) for limit in limits for pattern in PATTERNS]
    progress = Progress("scale", len(cells))
    found: dict[str, dict[str, Any]] = {pattern: {} for pattern in PATTERNS}
    with ProcessPoolExecutor(processes) as pool:
        running = [pool.submit(one, pattern, limit, photos, inputs, seed) for pattern, limit in cells]
        for (pattern, limit), future in zip(cells, running, strict=True):
            found[pattern][str(limit)] = future.result()
            progress.step(f"{pattern}, at most {limit}")
    return {"photos": photos, "seed": seed, "limits": list(limits), "patterns": found}


def one(pattern: str, limit: int, photos: int, inputs: Inputs, seed: int) -> dict[str, Any]:
    """Simulate one pattern under one limit."""
    todo = work.make(pattern, photos, inputs, seed)
    outcome = Simulation(todo, sender(pattern, limit, inputs), fleet.of(inputs, limit)).run()
    return figures(outcome, todo.first_s(), pattern != "backfill", inputs)


def sender(pattern: str, limit: int, inputs: Inputs) -> Sender:
    """Say who sends: the client for a backfill, with as many jobs as all instances take at once; else Pub/Sub."""
    if pattern == "backfill":
        given = inputs.backfill
        jobs = min(given.jobs_most, limit * inputs.function.concurrency)
        return Sender(jobs, jobs, given.retry_least_s, given.retry_most_s, holds=True)
    events = inputs.events
    return Sender(
        events.window_first,
        events.window_most,
        events.retry_least_s,
        events.retry_most_s,
        attempts_most=events.attempts_most,
        keeps_s=events.keeps_s,
    )


def figures(outcome: Outcome, first_s: Floats, by_event: bool, inputs: Inputs) -> dict[str, Any]:
    """Sum up an outcome."""
    waits_s = np.array(outcome.served_s) - first_s
    waits_s = np.sort(waits_s[~np.isnan(waits_s)])
    masks = len(waits_s)
    usage = Usage(outcome.busy_s, outcome.deliveries, outcome.deliveries if by_event else 0, masks)
    function = inputs.function
    bills = [usd(usage, function.cpus, function.memory_gib, inputs.price, free) for free in (False, True)]
    return {
        "hours": round(outcome.wall_s / 3600, 4),
        "most_instances": outcome.most_instances,
        "instance_hours": round(sum(end - began for began, end in outcome.lives) / 3600, 3),
        "busy_hours": round(outcome.busy_s / 3600, 3),
        "starts": outcome.starts,
        "masks": masks,
        "without_mask": len(outcome.served_s) - masks,
        "deliveries": outcome.deliveries,
        "refusals": outcome.refusals,
        "wait_s": {f"p{percent}": round(float(np.percentile(waits_s, percent)), 3) for percent in (50, 95, 99)},
        "usd": {kind: round(cost, 4) for kind, cost in bills[0].items()},
        "usd_after_free_share": round(bills[1]["total"], 4),
    }
