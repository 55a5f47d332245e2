"""What is taken for given: scale.toml as values, and as facts with their sources."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "scale.toml"
STATUSES = ("published", "reported", "measured", "chosen", "assumed")


@dataclass(frozen=True)
class Function:
    """One instance, and what a photo takes in it."""

    cpus: int
    memory_gib: float
    concurrency: int
    start_s: float
    cpu_ms_p50: float
    cpu_ms_p95: float
    cpu_factor: float
    read_ms: float
    write_ms_p50: float
    write_ms_p95: float
    failure_share: float


@dataclass(frozen=True)
class Platform:
    """How Cloud Run adds and removes instances, and rounds their time."""

    target: float
    window_s: float
    tick_s: float
    idle_s: float
    queue_s: float
    rounding_s: float


@dataclass(frozen=True)
class Events:
    """How storage events are delivered."""

    retry_least_s: float
    retry_most_s: float
    keeps_s: float
    attempts_most: int
    window_first: int
    window_most: int
    duplicate_share: float


@dataclass(frozen=True)
class Backfill:
    """How the client sends the events of photos that were there before."""

    jobs_most: int
    sends_per_s: float
    retry_least_s: float
    retry_most_s: float


@dataclass(frozen=True)
class Arrivals:
    """When photos come."""

    burst_s: float
    day_swing: float


@dataclass(frozen=True)
class Price:
    """US dollars a unit, free units a month, and units a photo."""

    cpu_s: float
    gib_s: float
    idle_s: float
    request: float
    free_cpu_s: float
    free_gib_s: float
    free_requests: float
    event: float
    event_bytes: float
    pubsub_tib: float
    class_a: float
    class_b: float
    writes: float
    reads: float
    notices: float


@dataclass(frozen=True)
class Inputs:
    """Everything that is taken for given."""

    function: Function
    platform: Platform
    events: Events
    backfill: Backfill
    arrivals: Arrivals
    price: Price


def read(file: Path = FILE) -> Inputs:
    """Read the values."""
    given = values(file)
    return Inputs(
        Function(**given["function"]),
        Platform(**given["platform"]),
        Events(**given["events"]),
        Backfill(**given["backfill"]),
        Arrivals(**given["arrivals"]),
        Price(**given["price"]),
    )


def facts(file: Path = FILE) -> dict[str, dict[str, dict[str, Any]]]:
    """Read each value with its status, date and source, the source's key put in full."""
    tables = tomllib.loads(file.read_text())
    sources = tables.pop("sources")
    return {
        section: {name: {**fact, "source": sources[fact["source"]]} for name, fact in table.items()}
        for section, table in tables.items()
    }


def values(file: Path = FILE) -> dict[str, dict[str, Any]]:
    """Read the bare values, for the record of a run."""
    return {section: {name: fact["value"] for name, fact in table.items()} for section, table in facts(file).items()}
