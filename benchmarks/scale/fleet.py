"""Instances of Cloud Run: one instance with its billing, and the autoscaler."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heapreplace
from math import ceil


@dataclass(frozen=True)
class Fleet:
    """The configuration of all instances; scale.toml explains the fields that are not listed here.

    Attributes:
        max_instances: `--max-instances`.
        ready: Instances that exist from the beginning, and are kept.
        kill_every_s: How often the oldest instance is killed; 0 for never.
        round_robin: Deliver to the instances in turn, and fail if it is the turn of one that is restarting.
    """

    max_instances: int
    cpus: int
    concurrency: int
    start_s: float
    queue_s: float
    idle_s: float
    target: float = 0.6
    window_s: float = 60
    tick_s: float = 5
    rounding_s: float = 0.1
    ready: int = 0
    kill_every_s: float = 0
    round_robin: bool = False


class Instance:
    """One instance.

    Attributes:
        load: Deliveries in it.
        since_s: Since when it has been busy or idle.
        billed_s: Billed time so far, without the start.
    """

    __slots__ = ("_billed_until_s", "_cpu_free_s", "billed_s", "load", "since_s")

    def __init__(self, now: float, cpus: int) -> None:
        self.load, self.billed_s, self.since_s, self._billed_until_s = 0, 0.0, now, now
        self._cpu_free_s = [now] * cpus

    def begin(self, now: float, read_s: float, cpu_s: float, write_s: float) -> float:
        """Accept a delivery, whose CPU time waits for the first free CPU; return when it will be finished."""
        if not self.load:
            self.since_s = now
        self.load += 1
        end = max(now + read_s, self._cpu_free_s[0]) + cpu_s
        heapreplace(self._cpu_free_s, end)
        return end + write_s

    def finish(self, now: float, rounding_s: float, deliveries: int = 1) -> None:
        """Finish deliveries; with the last one, the busy time is billed."""
        self.load -= deliveries
        if self.load:
            return
        start_s = max(self.since_s, self._billed_until_s)
        if now > start_s:
            billed_s = ceil((now - start_s) / rounding_s - 1e-9) * rounding_s
            self.billed_s += billed_s
            self._billed_until_s = start_s + billed_s
        self.since_s = now


class Autoscaler:
    """Computes how many instances the recent load needs.

    Attributes:
        cpu_s: CPU time used so far.
        slot_s: Sum of the durations of all deliveries so far.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.cpu_s, self.slot_s = fleet, 0.0, 0.0
        self._history: deque[tuple[float, float, float]] = deque([(0.0, 0.0, 0.0)])

    def instances(self, now: float) -> int:
        """Return the instances at which neither CPUs nor concurrency exceed the target, by the last window's mean."""
        fleet, history = self.fleet, self._history
        history.append((now, self.slot_s, self.cpu_s))
        while now - history[0][0] > fleet.window_s:
            history.popleft()
        start_s, slot_s, cpu_s = history[0]
        elapsed_s = max(now - start_s, fleet.tick_s)
        concurrency, cpus = (self.slot_s - slot_s) / elapsed_s, (self.cpu_s - cpu_s) / elapsed_s
        return ceil(max(concurrency / fleet.concurrency, cpus / fleet.cpus) / fleet.target)
