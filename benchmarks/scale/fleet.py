"""Instances, as Cloud Run has them: one that works, and the few figures that rule how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapreplace
from math import ceil

from benchmarks.scale.inputs import Inputs


@dataclass(frozen=True)
class Fleet:
    """What instances are like and when there are more or fewer.

    most: --max-instances; ready: those there from the beginning, and kept
    queue_s: how long a request waits for an instance before it is refused
    target, window_s, tick_s: of the CPUs and of the concurrency, over the window, looked at every tick
    idle_s: how long one without work stays; kill_every_s: how often one is ended from outside, 0 for never
    in_turn: deliveries go to the instances in turn, and fail at once where one is away, as behind a plain round robin
    """

    most: int
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
    in_turn: bool = False


def of(inputs: Inputs, most: int) -> Fleet:
    """Give the fleet that Cloud Run has under a limit."""
    function, platform = inputs.function, inputs.platform
    return Fleet(
        most=most,
        cpus=function.cpus,
        concurrency=function.concurrency,
        start_s=function.start_s,
        queue_s=platform.queue_s,
        idle_s=platform.idle_s,
        target=platform.target,
        window_s=platform.window_s,
        tick_s=platform.tick_s,
        rounding_s=platform.rounding_s,
    )


class Instance:
    """One instance at work.

    load: deliveries in it; since_s: when it last began or ended to have any
    busy_s: time that is paid for
    """

    __slots__ = ("_cpu_free_s", "_paid_until_s", "began_s", "busy_s", "load", "number", "since_s")

    def __init__(self, number: int, now: float, cpus: int) -> None:
        """Begin with nothing to do."""
        self.number, self.began_s, self.since_s = number, now, now
        self.load, self.busy_s, self._paid_until_s = 0, 0.0, now
        self._cpu_free_s = [now] * cpus

    def take(self, now: float, read_s: float, cpu_s: float, write_s: float) -> float:
        """Take one delivery, and say when it will be answered: its CPU time waits for a free CPU, first come first."""
        if not self.load:
            self.since_s = now
        self.load += 1
        end = max(now + read_s, self._cpu_free_s[0]) + cpu_s
        heapreplace(self._cpu_free_s, end)
        return end + write_s

    def give(self, now: float, rounding_s: float) -> None:
        """Be done with one delivery; with the last, the time since the first is paid for."""
        self.load -= 1
        if self.load:
            return
        unpaid_s = max(self.since_s, self._paid_until_s)
        if now > unpaid_s:
            paid_s = ceil((now - unpaid_s) / rounding_s - 1e-9) * rounding_s
            self.busy_s += paid_s
            self._paid_until_s = unpaid_s + paid_s
        self.since_s = now
