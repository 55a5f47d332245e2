"""The simulation: from one event to the next, until every delivery is answered. No clock and no chance of its own."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from math import ceil, inf
from typing import Any

from benchmarks.scale.fleet import Fleet, Instance
from benchmarks.scale.work import Work


@dataclass(frozen=True)
class Sender:
    """Who sends the deliveries, and how it takes a failure.

    window_first, window_most: deliveries under way at once; one more for each success, half after a refusal
    holds: a delivery that waits for its next try keeps its place among those under way, as a job of the client does
    ahead: if not 0, a delivery is made known once no more than so many are unanswered, and falls due its due_s later
    pace_s: what it takes, one after the other, to make one known
    """

    window_first: int
    window_most: int
    retry_least_s: float
    retry_most_s: float
    holds: bool = False
    attempts_most: float = inf
    keeps_s: float = inf
    ahead: int = 0
    pace_s: float = 0.0


@dataclass
class Outcome:
    """What came of it.

    served_s: for each photo when its first mask was there; nan if it never was
    wall_s: when the last mask was there; answered_s: when the last delivery was answered
    timeline: at each tick the time, instances, deliveries at work, requests that wait for an instance
    lives: when each instance began (its start included) and ended
    """

    served_s: list[float]
    deliveries: int = 0
    retries: int = 0
    refusals: int = 0
    kills: int = 0
    starts: int = 0
    given_up: int = 0
    most_instances: int = 0
    wall_s: float = 0.0
    answered_s: float = 0.0
    busy_s: float = 0.0
    timeline: list[tuple[float, int, int, int]] = field(default_factory=list)
    lives: list[tuple[float, float]] = field(default_factory=list)


class Simulation:
    """The state between two events.

    events: a heap of (time, serial number, what, photo): an instance whose delivery ends, or a method to call
    free: for each load below the concurrency the instances that have it, by number; a full one is in none
    """

    def __init__(self, work: Work, sender: Sender, fleet: Fleet) -> None:
        """Begin at zero, with the instances that are kept ready."""
        self.sender, self.fleet = sender, fleet
        self.due_s, self.photo = work.due_s.tolist(), work.photo.tolist()
        self.read_s, self.cpu_s, self.write_s = work.read_s, work.cpu_s.tolist(), work.write_s.tolist()
        self.failures = work.failures.tolist()
        self.now, self.sent, self.under_way, self.at_work, self.left = 0.0, 0, 0, 0, len(self.due_s)
        self.window = sender.window_first
        self.first_s = work.first_s().tolist()
        self.tries: dict[int, int] = {}
        self.again: deque[int] = deque()
        self.pending: deque[tuple[float, int]] = deque()
        self.events: list[tuple[float, int, Any, int]] = []
        self.serial = count()
        self.instances: dict[int, Instance] = {}
        self.turns, self.known_s = count(), 0.0
        self.places: list[Instance | None] = []
        self.free: list[dict[int, Instance]] = [{} for _ in range(fleet.concurrency)]
        self.starting = 0
        self.slot_s, self.used_cpu_s = 0.0, 0.0
        self.history: deque[tuple[float, float, float]] = deque([(0.0, 0.0, 0.0)])
        self.out = Outcome([float("nan")] * len(self.cpu_s))

    def run(self) -> Outcome:
        """Go from event to event."""
        for _ in range(self.fleet.ready):
            self.open(self.now)
        self.at(0, self.tick)
        if self.fleet.kill_every_s:
            self.at(self.fleet.kill_every_s, self.kill)
        self.make_known()
        total, due_s, events = 0 if self.sender.ahead else len(self.due_s), self.due_s, self.events
        while self.left:
            if self.under_way < self.window and (
                self.again or (self.sent < total and due_s[self.sent] <= events[0][0])
            ):
                self.send()
                continue
            self.now, _, what, photo = heappop(events)
            if type(what) is Instance:
                self.finish(what, photo)
            else:
                what(photo)
        return self.close()

    def at(self, pause_s: float, what: Any, photo: int = -1) -> None:
        """Have something happen after a pause."""
        heappush(self.events, (self.now + pause_s, next(self.serial), what, photo))

    def send(self) -> None:
        """Send what is to be tried again, else what falls due next; what is kept no longer is lost."""
        if self.again:
            photo = self.again.popleft()
        else:
            photo = self.photo[self.sent]
            self.now = max(self.now, self.due_s[self.sent])
            self.sent += 1
            if self.now - self.first_s[photo] > self.sender.keeps_s:
                self.left -= 1
                self.out.given_up += 1
                return
        self.under_way += 1
        self.arrive(photo)

    def arrive(self, photo: int) -> None:
        """Hand a delivery to the instance with the least to do; where all are full it waits, and one more may start."""
        self.out.deliveries += 1
        if self.fleet.in_turn:
            self.take_turn(photo)
            return
        for stock in self.free:
            if stock:
                _, instance = stock.popitem()
                self.begin(instance, photo)
                self.shelve(instance)
                return
        self.pending.append((self.now, photo))
        if len(self.pending) > self.starting * self.fleet.concurrency:
            self.launch()

    def take_turn(self, photo: int) -> None:
        """Hand a delivery to the instance whose turn it is; where that is away, it has failed."""
        instance = self.places[next(self.turns) % len(self.places)]
        if instance is None:
            self.fail(photo)
            return
        if instance.load < self.fleet.concurrency:
            del self.free[instance.load][instance.number]
        self.begin(instance, photo)
        self.shelve(instance)

    def make_known(self) -> None:
        """Let deliveries fall due after their own delay, as far ahead as the sender goes."""
        if not self.sender.ahead:
            return
        total = len(self.due_s)
        while self.sent < total and self.sent - (total - self.left) <= self.sender.ahead:
            self.known_s = max(self.now, self.known_s) + self.sender.pace_s
            self.at(self.known_s - self.now + self.due_s[self.sent], self.retry, self.photo[self.sent])
            self.sent += 1

    def begin(self, instance: Instance, photo: int) -> None:
        """Put a delivery to work."""
        cpu_s = self.cpu_s[photo]
        end = instance.take(self.now, self.read_s, cpu_s, self.write_s[photo])
        self.at_work += 1
        self.used_cpu_s += cpu_s
        self.slot_s += end - self.now
        heappush(self.events, (end, next(self.serial), instance, photo))

    def shelve(self, instance: Instance) -> None:
        """Note an instance by its load, where there is room in it."""
        if instance.load < self.fleet.concurrency:
            self.free[instance.load][instance.number] = instance

    def finish(self, instance: Instance, photo: int) -> None:
        """Answer a delivery, and give its place to one that waits."""
        if instance.load < self.fleet.concurrency:
            del self.free[instance.load][instance.number]
        instance.give(self.now, self.fleet.rounding_s)
        self.at_work -= 1
        if self.failures[photo]:
            self.failures[photo] -= 1
            self.fail(photo)
        else:
            self.succeed(photo)
        self.fill(instance)

    def fill(self, instance: Instance) -> None:
        """Give an instance what waits, as far as there is room in it."""
        self.refuse()
        while self.pending and instance.load < self.fleet.concurrency:
            self.begin(instance, self.pending.popleft()[1])
        self.shelve(instance)

    def succeed(self, photo: int) -> None:
        """Note a mask, or that it was there before."""
        self.left -= 1
        self.under_way -= 1
        self.window = min(self.sender.window_most, self.window + 1)
        if self.out.served_s[photo] != self.out.served_s[photo]:
            self.out.served_s[photo] = self.out.wall_s = self.now
        self.make_known()

    def fail(self, photo: int) -> None:
        """Try a delivery again after a pause that doubles each time, or give it up."""
        sender, self.tries[photo] = self.sender, self.tries.get(photo, 0) + 1
        if self.tries[photo] >= sender.attempts_most or self.now - self.first_s[photo] > sender.keeps_s:
            self.left -= 1
            self.under_way -= 1
            self.out.given_up += 1
            return
        self.out.retries += 1
        if not sender.holds:
            self.under_way -= 1
        doubled = sender.retry_least_s * 2.0 ** min(self.tries[photo] - 1, 60)
        self.at(min(sender.retry_most_s, doubled), self.retry, photo)

    def retry(self, photo: int) -> None:
        """Send again what failed, as soon as the window has room for it."""
        if self.sender.holds:
            self.arrive(photo)
        else:
            self.again.append(photo)

    def refuse(self) -> None:
        """Answer 429 to what has waited too long for an instance."""
        while self.pending and self.now - self.pending[0][0] >= self.fleet.queue_s:
            self.out.refusals += 1
            self.window = max(self.sender.window_first, self.window // 2)
            self.fail(self.pending.popleft()[1])

    def launch(self) -> None:
        """Start an instance, if there may be one more."""
        if len(self.instances) + self.starting < self.fleet.most:
            self.starting += 1
            self.out.starts += 1
            self.out.most_instances = max(self.out.most_instances, len(self.instances) + self.starting)
            self.at(self.fleet.start_s, self.started)

    def started(self, _: int) -> None:
        """Let an instance begin to work; its start is paid for."""
        self.starting -= 1
        self.out.busy_s += self.fleet.start_s
        self.open(self.now - self.fleet.start_s)

    def open(self, began_s: float) -> None:
        """Add an instance that can work."""
        number = next(self.serial)
        instance = self.instances[number] = Instance(number, self.now, self.fleet.cpus)
        instance.began_s = began_s
        if None in self.places:
            self.places[self.places.index(None)] = instance
        else:
            self.places.append(instance)
        self.out.most_instances = max(self.out.most_instances, len(self.instances) + self.starting)
        self.fill(instance)

    def end(self, instance: Instance) -> None:
        """Take an instance away."""
        del self.instances[instance.number]
        self.places[self.places.index(instance)] = None
        if instance.load < self.fleet.concurrency:
            del self.free[instance.load][instance.number]
        while instance.load:
            instance.give(self.now, self.fleet.rounding_s)
        self.out.busy_s += instance.busy_s
        self.out.lives.append((instance.began_s, self.now))

    def kill(self, _: int) -> None:
        """End the oldest instance, whatever it is at; what it had in hand fails, and another one starts."""
        self.at(self.fleet.kill_every_s, self.kill)
        if not self.instances:
            return
        victim = next(iter(self.instances.values()))
        lost = [photo for _, _, what, photo in self.events if what is victim]
        self.events[:] = [event for event in self.events if event[2] is not victim]
        heapify(self.events)
        self.end(victim)
        self.out.kills += 1
        self.at_work -= len(lost)
        for photo in lost:
            self.fail(photo)
        self.launch()

    def tick(self, _: int) -> None:
        """Do what the autoscaler does now and then."""
        self.at(self.fleet.tick_s, self.tick)
        self.refuse()
        total = len(self.instances) + self.starting
        self.out.timeline.append((self.now, total, self.at_work, len(self.pending)))
        wanted = self.wanted()
        for _ in range(wanted - total):
            self.launch()
        idle = self.free[0]
        while idle and len(self.instances) > max(wanted, self.fleet.ready):
            instance = next(iter(idle.values()))
            if self.now - instance.since_s < self.fleet.idle_s:
                break
            self.end(instance)

    def wanted(self) -> int:
        """Say how many instances the mean use of CPUs and of concurrency over the last window asks for."""
        fleet, history = self.fleet, self.history
        history.append((self.now, self.slot_s, self.used_cpu_s))
        while self.now - history[0][0] > fleet.window_s:
            history.popleft()
        began_s, slot_s, cpu_s = history[0]
        passed_s = max(self.now - began_s, fleet.tick_s)
        concurrency, cpus = (self.slot_s - slot_s) / passed_s, (self.used_cpu_s - cpu_s) / passed_s
        return ceil(max(concurrency / fleet.concurrency, cpus / fleet.cpus) / fleet.target)

    def close(self) -> Outcome:
        """End every instance that is left, and hand over what came of it."""
        self.out.answered_s = self.now
        for instance in list(self.instances.values()):
            self.end(instance)
        return self.out
