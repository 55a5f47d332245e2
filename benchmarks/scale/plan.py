"""The simulated cases: each arrival pattern at each `--max-instances`, with its cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks.harness.percentiles import percentile
from benchmarks.harness.progress import ProgressBar
from benchmarks.scale import workload
from benchmarks.scale.fleet import Fleet
from benchmarks.scale.inputs import Inputs
from benchmarks.scale.simulation import Sender, Simulation

PATTERNS = ("backfill", "burst", "day")
LIMITS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000)
TIB = 2.0**40


def simulate_all(photos: int, limits: Sequence[int], inputs: Inputs, seed: int, processes: int) -> dict[str, Any]:
    """Simulate each pattern at each limit, in parallel processes; return JSON values."""
    cases = [(pattern, limit) for limit in limits for pattern in PATTERNS]
    progress = ProgressBar("scale", len(cases))
    patterns: dict[str, dict[str, Any]] = {pattern: {} for pattern in PATTERNS}
    with ProcessPoolExecutor(processes) as pool:
        futures = [pool.submit(simulate, pattern, limit, photos, inputs, seed) for pattern, limit in cases]
        for (pattern, limit), future in zip(cases, futures, strict=True):
            patterns[pattern][str(limit)] = future.result()
            progress.step(f"{pattern}, at most {limit} instances")
    return {"photos": photos, "seed": seed, "limits": list(limits), "patterns": patterns}


def simulate(pattern: str, limit: int, photos: int, inputs: Inputs, seed: int) -> dict[str, Any]:
    """Simulate one pattern at one limit, and return its figures."""
    work, function = workload.make(pattern, photos, inputs, seed), inputs["function"]
    instance = {name: function[name] for name in ("cpus", "concurrency", "start_s")}
    fleet = Fleet(max_instances=limit, **instance, **inputs["platform"])
    outcome = Simulation(work, sender(pattern, limit, inputs), fleet).run()
    waits_s = [wait for wait in (outcome.served_s - work.first_due_s()).tolist() if not math.isnan(wait)]
    events = 0 if pattern == "backfill" else outcome.deliveries
    costs, beyond_free_tier = (
        usd(inputs, outcome.billed_s, outcome.deliveries, events, len(waits_s), free_tier=free_tier)
        for free_tier in (False, True)
    )
    return {
        "hours": round(outcome.wall_s / 3600, 4),
        "peak_instances": outcome.peak_instances,
        "billed_hours": round(outcome.billed_s / 3600, 3),
        "deliveries": outcome.deliveries,
        "refusals": outcome.refusals,
        "without_mask": photos - len(waits_s),
        "wait_s": {f"p{percent}": round(percentile(waits_s, percent), 3) for percent in (50, 95, 99)},
        "usd": {item: round(cost, 4) for item, cost in costs.items()},
        "usd_beyond_free_tier": round(beyond_free_tier["total"], 4),
    }


def sender(pattern: str, limit: int, inputs: Inputs) -> Sender:
    """Return the sender of a pattern: the client, with a job for each request the instances accept, or Pub/Sub."""
    if pattern == "backfill":
        client = inputs["backfill"]
        jobs = min(client["max_jobs"], limit * inputs["function"]["concurrency"])
        return Sender(jobs, jobs, client["min_backoff_s"], client["max_backoff_s"], holds_slot=True)
    return Sender(**{name: value for name, value in inputs["events"].items() if name != "duplicate_share"})


def usd(
    inputs: Inputs,
    billed_s: float,
    requests: int,
    events: int = 0,
    photos: int = 0,
    ready_s: float = 0,
    free_tier: bool = False,
) -> dict[str, float]:
    """Return the cost by item, in US dollars.

    Args:
        inputs: Prices, and the size of an instance.
        billed_s: Billed time of instances.
        requests: Number of deliveries.
        events: How many of them were events of Cloud Storage.
        photos: Number of photos with a mask.
        ready_s: Idle time of instances that are kept ready.
        free_tier: Whether to subtract Cloud Run's free tier of a month.
    """
    price, cpus, memory_gib = inputs["price"], inputs["function"]["cpus"], inputs["function"]["memory_gib"]

    def beyond(free: float, used: float) -> float:
        return max(0.0, used - free) if free_tier else used

    cpu_usd = beyond(price["free_cpu_s"], billed_s * cpus) * price["cpu_s"]
    memory_usd = beyond(price["free_gib_s"], billed_s * memory_gib) * price["gib_s"]
    reads = requests * price["reads"] + events * price["notifications"]
    published_tib = 2 * events * price["event_bytes"] / TIB  # publishing and delivery are both billed
    items = {
        "instances": cpu_usd + memory_usd + ready_s * (cpus + memory_gib) * price["idle_s"],
        "requests": beyond(price["free_requests"], requests) * price["request"],
        "storage": photos * price["writes"] * price["class_a"] + reads * price["class_b"],
        "events": events * price["event"] + published_tib * price["pubsub_tib"],
    }
    return {**items, "total": sum(items.values())}
