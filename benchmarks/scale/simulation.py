"""Discrete-event simulation of deliveries to instances. It is deterministic."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf, isnan, nan
from typing import Any

from benchmarks.scale.fleet import Autoscaler, Fleet, Instance
from benchmarks.scale.workload import Workload


@dataclass(frozen=True)
class Sender:
    """How deliveries are sent and retried; scale.toml explains the fields that are not listed here.

    Attributes:
        holds_slot: Whether a delivery counts as in flight while it waits for its retry, like a job of the client.
        lookahead: If not 0, uploads stop while more events than this are unanswered; `due_s` counts from the upload.
        upload_s: Time between uploads.
    """

    initial_window: int
    max_window: int
    min_backoff_s: float
    max_backoff_s: float
    holds_slot: bool = False
    max_attempts: float = inf
    retention_s: float = inf
    lookahead: int = 0
    upload_s: float = 0.0


@dataclass
class Outcome:
    """The result of a simulation.

    Attributes:
        served_s: When the first mask of each photo was written; NaN if never.
        wall_s: When the last mask was written.
        end_s: When the last delivery was answered.
        billed_s: Billed instance time, starts included.
        timeline: At each tick: time, instances (starting ones included), deliveries in progress, queued requests.
    """

    served_s: list[float]
    deliveries: int = 0
    retries: int = 0
    refusals: int = 0
    kills: int = 0
    starts: int = 0
    peak_instances: int = 0
    wall_s: float = 0.0
    end_s: float = 0.0
    billed_s: float = 0.0
    timeline: list[tuple[float, int, int, int]] = field(default_factory=list)


class Simulation:
    """The state between two events.

    An event is a tuple (time, serial number, action, photo); the action is a method, or the instance that finishes the
    photo. `by_load` is the index of the instances that accept more deliveries, by the number of deliveries in them.
    """

    def __init__(self, workload: Workload, sender: Sender, fleet: Fleet) -> None:
        self.sender, self.fleet = sender, fleet
        self.due_s, self.photo = workload.due_s.tolist(), workload.photo.tolist()
        self.read_s, self.cpu_s, self.write_s = workload.read_s, workload.cpu_s.tolist(), workload.write_s.tolist()
        self.failures, self.first_due_s = workload.failures.tolist(), workload.first_due_s().tolist()
        self.attempts: Counter[int] = Counter()
        self.now, self.sent, self.in_flight, self.unanswered = 0.0, 0, 0, len(self.due_s)
        self.window, self.uploaded_s = sender.initial_window, 0.0
        self.resend: deque[int] = deque()
        self.queue: deque[tuple[float, int]] = deque()
        self.serial, self.turn = count(), count()
        self.events: list[tuple[float, int, Any, int]] = []
        self.instances: list[Instance] = []
        self.slots: list[Instance | None] = []
        self.by_load: list[dict[Instance, None]] = [{} for _ in range(fleet.concurrency)]
        self.starting, self.in_progress = 0, 0
        self.autoscaler = Autoscaler(fleet)
        self.outcome = Outcome([nan] * len(self.cpu_s), peak_instances=fleet.ready)

    def run(self) -> Outcome:
        """Process events until every delivery is answered or dropped."""
        for _ in range(self.fleet.ready):
            self._add_instance()
        self._schedule(0, self._tick)
        if self.fleet.kill_every_s:
            self._schedule(self.fleet.kill_every_s, self._kill)
        self._upload()
        total, due_s, events = 0 if self.sender.lookahead else len(self.due_s), self.due_s, self.events
        while self.unanswered:
            next_is_due = self.resend or (self.sent < total and due_s[self.sent] <= events[0][0])
            if next_is_due and self.in_flight < self.window:
                self._send()
                continue
            self.now, _, action, photo = heappop(events)
            if type(action) is Instance:
                self._finish(action, photo)
            else:
                action(photo)
        self.outcome.end_s = self.now
        for instance in list(self.instances):
            self._remove_instance(instance)
        return self.outcome

    def _schedule(self, pause_s: float, action: Any, photo: int = -1) -> None:
        heappush(self.events, (self.now + pause_s, next(self.serial), action, photo))

    # Deliveries

    def _upload(self) -> None:
        """Upload photos as far ahead as the sender does; their events are sent after their delay."""
        total, lookahead = len(self.due_s), self.sender.lookahead
        while lookahead and self.sent < total and self.sent - (total - self.unanswered) <= lookahead:
            self.uploaded_s = max(self.now, self.uploaded_s) + self.sender.upload_s
            self._schedule(self.uploaded_s - self.now + self.due_s[self.sent], self._retry, self.photo[self.sent])
            self.sent += 1

    def _send(self) -> None:
        """Send the next retry, or else the next delivery, unless its event has expired."""
        if self.resend:
            photo = self.resend.popleft()
        else:
            photo = self.photo[self.sent]
            self.now = max(self.now, self.due_s[self.sent])
            self.sent += 1
            if self.now - self.first_due_s[photo] > self.sender.retention_s:
                self.unanswered -= 1
                return
        self.in_flight += 1
        self._deliver(photo)

    def _deliver(self, photo: int) -> None:
        """Pass a delivery to an instance; if all are full it is queued, and another instance may start."""
        self.outcome.deliveries += 1
        if self.fleet.round_robin:
            instance = self.slots[next(self.turn) % len(self.slots)]
        else:
            instance = next((next(reversed(instances)) for instances in self.by_load if instances), None)
        if instance:
            self._remove_from_index(instance)
            self._process(instance, photo)
            self._add_to_index(instance)
        elif self.fleet.round_robin:
            self._fail(photo)
        else:
            self.queue.append((self.now, photo))
            if len(self.queue) > self.starting * self.fleet.concurrency:
                self._start_instance()

    def _process(self, instance: Instance, photo: int) -> None:
        cpu_s = self.cpu_s[photo]
        end = instance.begin(self.now, self.read_s, cpu_s, self.write_s[photo])
        self.in_progress += 1
        self.autoscaler.cpu_s += cpu_s
        self.autoscaler.slot_s += end - self.now
        heappush(self.events, (end, next(self.serial), instance, photo))

    def _finish(self, instance: Instance, photo: int) -> None:
        """Answer a delivery, and pass the instance another one from the queue."""
        self._remove_from_index(instance)
        instance.finish(self.now, self.fleet.rounding_s)
        self.in_progress -= 1
        if self.failures[photo]:
            self.failures[photo] -= 1
            self._fail(photo)
        else:
            self.unanswered -= 1
            self.in_flight -= 1
            self.window = min(self.sender.max_window, self.window + 1)
            if isnan(self.outcome.served_s[photo]):
                self.outcome.served_s[photo] = self.outcome.wall_s = self.now
            self._upload()
        self._fill(instance)

    def _fail(self, photo: int) -> None:
        """Schedule a retry, or drop the event."""
        sender = self.sender
        self.attempts[photo] += 1
        expired = self.now - self.first_due_s[photo] > sender.retention_s
        dropped = expired or self.attempts[photo] >= sender.max_attempts
        if dropped or not sender.holds_slot:
            self.in_flight -= 1
        if dropped:
            self.unanswered -= 1
            return
        self.outcome.retries += 1
        backoff_s = sender.min_backoff_s * 2.0 ** min(self.attempts[photo] - 1, 60)
        self._schedule(min(sender.max_backoff_s, backoff_s), self._retry, photo)

    def _retry(self, photo: int) -> None:
        if self.sender.holds_slot:
            self._deliver(photo)
        else:
            self.resend.append(photo)

    def _refuse(self) -> None:
        """Refuse the requests that have been queued for too long."""
        while self.queue and self.now - self.queue[0][0] >= self.fleet.queue_s:
            self.outcome.refusals += 1
            self.window = max(self.sender.initial_window, self.window // 2)
            self._fail(self.queue.popleft()[1])

    # Instances

    def _add_to_index(self, instance: Instance) -> None:
        if instance.load < self.fleet.concurrency:
            self.by_load[instance.load][instance] = None

    def _remove_from_index(self, instance: Instance) -> None:
        if instance.load < self.fleet.concurrency:
            del self.by_load[instance.load][instance]

    def _fill(self, instance: Instance) -> None:
        """Pass queued requests to an instance until it is full."""
        self._refuse()
        while self.queue and instance.load < self.fleet.concurrency:
            self._process(instance, self.queue.popleft()[1])
        self._add_to_index(instance)

    def _start_instance(self) -> None:
        if len(self.instances) + self.starting < self.fleet.max_instances:
            self.starting += 1
            self.outcome.starts += 1
            self.outcome.peak_instances = max(self.outcome.peak_instances, len(self.instances) + self.starting)
            self._schedule(self.fleet.start_s, self._started)

    def _started(self, _: int) -> None:
        self.starting -= 1
        self.outcome.billed_s += self.fleet.start_s
        self._add_instance()

    def _add_instance(self) -> None:
        instance = Instance(self.now, self.fleet.cpus)
        self.instances.append(instance)
        if None in self.slots:
            self.slots[self.slots.index(None)] = instance
        else:
            self.slots.append(instance)
        self._fill(instance)

    def _remove_instance(self, instance: Instance) -> None:
        self.instances.remove(instance)
        self.slots[self.slots.index(instance)] = None
        self._remove_from_index(instance)
        if instance.load:
            instance.finish(self.now, self.fleet.rounding_s, instance.load)
        self.outcome.billed_s += instance.billed_s

    def _kill(self, _: int) -> None:
        """Kill the oldest instance, so that its deliveries fail, and start another one."""
        self._schedule(self.fleet.kill_every_s, self._kill)
        if not self.instances:
            return
        victim = self.instances[0]
        lost = [photo for _, _, action, photo in self.events if action is victim]
        self.events[:] = [event for event in self.events if event[2] is not victim]
        heapify(self.events)
        self._remove_instance(victim)
        self.outcome.kills += 1
        self.in_progress -= len(lost)
        for photo in lost:
            self._fail(photo)
        self._start_instance()

    def _tick(self, _: int) -> None:
        """Start the instances that the autoscaler asks for, and stop those that have been idle for too long."""
        self._schedule(self.fleet.tick_s, self._tick)
        self._refuse()
        total = len(self.instances) + self.starting
        self.outcome.timeline.append((self.now, total, self.in_progress, len(self.queue)))
        needed = self.autoscaler.instances(self.now)
        for _ in range(needed - total):
            self._start_instance()
        while self.by_load[0] and len(self.instances) > max(needed, self.fleet.ready):
            instance = next(iter(self.by_load[0]))
            if self.now - instance.since_s < self.fleet.idle_s:
                break
            self._remove_instance(instance)
