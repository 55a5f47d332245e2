"""A queue of events that delivers like Pub/Sub: late, out of order, more than once, and again until accepted."""

from __future__ import annotations

import heapq
import itertools
import json
import random
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 3.0  # between deliveries of one event; the pause doubles
REQUEST_TIMEOUT_S = 30.0


@dataclass(order=True)
class PendingEvent:
    """An event that is not accepted yet.

    Attributes:
        due: Time of `time.monotonic` of the next delivery.
        number: Position in the order of publication, which decides between events due at the same time.
        event: The CloudEvent.
        attempts: Number of deliveries so far.
    """

    due: float
    number: int
    event: dict[str, Any] = field(compare=False)
    attempts: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Delivery:
    """The result of one delivery.

    Attributes:
        status: Status of the response; 0 if there was none.
        ms: Duration in milliseconds.
        outcome: The X-Outcome of the response.
        stages_ms: Duration of each stage in milliseconds, from Server-Timing.
    """

    status: int
    ms: float
    outcome: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)

    @property
    def outcome_name(self) -> str:
        """The outcome without its code."""
        return self.outcome.partition(";")[0]


class EventQueue:
    """Delivers events to several URLs in turn, with a number of concurrent workers, until each is accepted.

    Attributes:
        pending: Number of events that are not accepted yet.
        events: Number of published events.
        duplicates: Number of events that are delivered twice even if accepted.
        deliveries: Results of all deliveries.
        writes: By name and generation of a photo, how often the function reported writing its mask or note.
    """

    def __init__(self, urls: list[str], workers: int, seed: int) -> None:
        """Create an empty queue.

        Args:
            urls: URLs of the processes of the function.
            workers: Number of concurrent deliveries.
            seed: Seed of the random delays.
        """
        self._urls = itertools.cycle(urls)
        self._worker_count, self._rng = workers, random.Random(seed)
        self._workers: list[Future[None]] = []
        self._changed = threading.Condition()
        self._heap: list[PendingEvent] = []
        self._numbers = itertools.count()
        self._closing = False
        self.pending = self.events = self.duplicates = 0
        self.deliveries: list[Delivery] = []
        self.writes: Counter[tuple[str, str]] = Counter()

    def publish(self, event: dict[str, Any], max_delay_s: float, duplicate_share: float) -> None:
        """Add an event to the queue.

        Args:
            event: The CloudEvent.
            max_delay_s: Longest delay of its delivery.
            duplicate_share: Probability, 0 to 1, of a second delivery even if the first is accepted.
        """
        copies = 1 + (self._rng.random() < duplicate_share)
        with self._changed:
            self.events += 1
            self.duplicates += copies - 1
            self.pending += copies
            for copy in range(copies):
                due = self._random_due_time(max_delay_s * (1 + copy))
                self._push(PendingEvent(due, next(self._numbers), event))

    @contextmanager
    def delivering(self) -> Iterator[None]:
        """Deliver events in the background."""
        limits = httpx.Limits(max_connections=None)
        with (
            httpx.Client(timeout=REQUEST_TIMEOUT_S, limits=limits, trust_env=False) as client,
            ThreadPoolExecutor(self._worker_count) as pool,
        ):
            self._workers += [pool.submit(self._deliver_until_closed, client) for _ in range(self._worker_count)]
            try:
                yield
            finally:
                with self._changed:
                    self._closing = True
                    self._changed.notify_all()

    def wait_until_pending(self, count: int) -> None:
        """Wait until at most a number of events is pending."""
        with self._changed:
            while self.pending > count:
                self._changed.wait(0.5)
                for worker in self._workers:
                    if worker.done():
                        worker.result()  # raises the error that ended it
                        raise AssertionError("a worker has ended")

    def _random_due_time(self, max_delay_s: float) -> float:
        return time.monotonic() + self._rng.uniform(0, max_delay_s)

    def _push(self, pending: PendingEvent) -> None:
        heapq.heappush(self._heap, pending)
        self._changed.notify()

    def _pop(self) -> PendingEvent | None:
        """Wait for an event that is due, and return it; None once the queue is closed."""
        with self._changed:
            while not self._closing:
                wait_s = self._heap[0].due - time.monotonic() if self._heap else 1.0
                if self._heap and wait_s <= 0:
                    return heapq.heappop(self._heap)
                self._changed.wait(wait_s)
        return None

    def _deliver_until_closed(self, client: httpx.Client) -> None:
        while pending := self._pop():
            with self._changed:
                url = next(self._urls)
            delivery = deliver(client, url, pending.event)
            with self._changed:
                self._record(pending, delivery)

    def _record(self, pending: PendingEvent, delivery: Delivery) -> None:
        """Count a delivery, and schedule the next one unless the event was accepted."""
        self.deliveries.append(delivery)
        if delivery.outcome_name in ("mask", "note"):
            self.writes[pending.event["data"]["name"], pending.event["data"]["generation"]] += 1
        if 200 <= delivery.status < 300:
            self.pending -= 1
            self._changed.notify_all()
            return
        pending.attempts += 1
        pending.due = self._random_due_time(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(pending.attempts, 10)))
        self._push(pending)


def deliver(client: httpx.Client, url: str, event: dict[str, Any]) -> Delivery:
    """Post an event once in binary mode, as Eventarc does."""
    headers = {f"ce-{name}": urllib.parse.quote(event[name]) for name in ("id", "type", "source", "specversion")}
    headers["Content-Type"] = "application/json"
    start = time.perf_counter()
    try:
        response = client.post(url, content=json.dumps(event["data"]), headers=headers)
    except httpx.HTTPError:
        return Delivery(0, (time.perf_counter() - start) * 1000)
    ms = (time.perf_counter() - start) * 1000
    timings = [part.split(";dur=") for part in response.headers.get("server-timing", "").split(", ") if part]
    stages_ms = {stage: float(duration) for stage, duration in timings}
    return Delivery(response.status_code, ms, response.headers.get("x-outcome", ""), stages_ms)
