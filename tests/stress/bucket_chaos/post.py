"""Events on their way, as Pub/Sub delivers them: late, out of order, more than once, and again until they are taken."""

from __future__ import annotations

import heapq
import itertools
import json
import random
import threading
import time
import urllib.parse
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 3.0
TIMEOUT_S = 30.0


@dataclass(order=True)
class Letter:
    """Hold an event that is to be delivered, and when."""

    due: float
    number: int
    event: dict[str, Any] = field(compare=False)
    tries: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Delivery:
    """Hold what came of one try; status 0 where no answer came."""

    status: int
    ms: float
    outcome: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)


class Post:
    """Deliver events to the processes in turn, so many at once, until none is left.

    made: how often each version of a photo was said to be written
    """

    def __init__(self, urls: list[str], jobs: int, seed: int) -> None:
        self._urls = itertools.cycle(urls)
        self._jobs, self._random = jobs, random.Random(seed)
        self._changed = threading.Condition()
        self._heap: list[Letter] = []
        self._number = itertools.count()
        self._closing = False
        self.left = self.events = self.duplicates = 0
        self.deliveries: list[Delivery] = []
        self.made: Counter[tuple[str, str]] = Counter()

    def publish(self, event: dict[str, Any], latest_s: float, twice: float) -> None:
        """Send an event on its way.

        latest_s: it may be so late
        twice: 0-1, how likely it is to be delivered once more although it was taken
        """
        copies = 1 + (self._random.random() < twice)
        self.events += 1
        self.duplicates += copies - 1
        with self._changed:
            self.left += copies
            for number in range(copies):
                self._put(Letter(self._late(latest_s * (1 + number)), next(self._number), event))

    def run(self) -> ThreadPoolExecutor:
        """Begin to deliver."""
        pool = ThreadPoolExecutor(self._jobs)
        client = httpx.Client(timeout=TIMEOUT_S, limits=httpx.Limits(max_connections=None), trust_env=False)
        self._workers = [pool.submit(self._work, client) for _ in range(self._jobs)]
        return pool

    def wait_until_left(self, count: int) -> None:
        """Wait until no more than so many are to be delivered."""
        with self._changed:
            while self.left > count:
                self._changed.wait(0.5)
                assert not any(worker.done() for worker in self._workers), [
                    worker.result(0) for worker in self._workers
                ]

    def close(self) -> None:
        """Let the workers end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _late(self, latest_s: float) -> float:
        return time.monotonic() + self._random.uniform(0, latest_s)

    def _put(self, letter: Letter) -> None:
        heapq.heappush(self._heap, letter)
        self._changed.notify()

    def _next(self) -> Letter | None:
        with self._changed:
            while not self._closing:
                wait_s = self._heap[0].due - time.monotonic() if self._heap else 1.0
                if self._heap and wait_s <= 0:
                    return heapq.heappop(self._heap)
                self._changed.wait(wait_s)
        return None

    def _work(self, client: httpx.Client) -> None:
        while letter := self._next():
            with self._changed:
                url = next(self._urls)
            delivery = deliver(client, url, letter.event)
            data = letter.event["data"]
            with self._changed:
                self.deliveries.append(delivery)
                self.made[data["name"], data["generation"]] += delivery.outcome.partition(";")[0] in ("mask", "note")
                if 200 <= delivery.status < 300:
                    self.left -= 1
                    self._changed.notify_all()
                    continue
                letter.tries += 1
                pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(letter.tries, 10))
                letter.due = self._late(pause_s)
                self._put(letter)


def deliver(client: httpx.Client, url: str, event: dict[str, Any]) -> Delivery:
    """Post an event once, in binary mode as Eventarc does."""
    headers = {f"ce-{name}": urllib.parse.quote(event[name]) for name in ("id", "type", "source", "specversion")}
    began = time.perf_counter()
    try:
        body = json.dumps(event["data"])
        answer = client.post(url, content=body, headers={**headers, "Content-Type": "application/json"})
    except httpx.HTTPError:
        return Delivery(0, (time.perf_counter() - began) * 1000)
    ms = (time.perf_counter() - began) * 1000
    stages = [part.split(";dur=") for part in answer.headers.get("server-timing", "").split(", ") if part]
    outcome = answer.headers.get("x-outcome", "")
    return Delivery(answer.status_code, ms, outcome, {name: float(dur) for name, dur in stages})
