"""Sends cases to a function, checks each response, and measures the function's memory."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from PIL import Image

from tests.stress.hostile.case import Case

REQUEST_TIMEOUT_S = 60.0  # the timeout that deploy.sh sets
SAMPLING_INTERVAL_S = 0.02
CONCURRENCY = 3


@dataclass
class Results:
    """The responses to all cases.

    Attributes:
        cases: Number of cases.
        statuses: Number of responses by status; 0 stands for no response.
        wrong: A description of each response that is not allowed.
        worst_s: Longest duration of a request in seconds.
        worst_case: Name of its case.
        worst_mb: Highest memory of the function in MiB.
    """

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    worst_s: float = 0.0
    worst_case: str = ""
    worst_mb: float = 0.0

    def add(self, case: Case, response: httpx.Response | None, seconds: float) -> None:
        """Add the response to a case; None if there was none."""
        self.cases += 1
        self.statuses[response.status_code if response else 0] += 1
        violation = find_violation(case, response) if response else "there was no response"
        if violation:
            self.wrong.append(f"{case.name}: {violation}")
        if seconds > self.worst_s:
            self.worst_s, self.worst_case = seconds, case.name

    def figures(self) -> dict[str, object]:
        """Return the figures as they go into benchmarks/results/hostile.json."""
        return {
            "cases": self.cases,
            "by_status": {str(status): count for status, count in sorted(self.statuses.items())},
            "wrong": len(self.wrong),
            "worst_s": round(self.worst_s, 2),
            "worst_case": self.worst_case,
            "worst_pss_mb": round(self.worst_mb),
        }


def find_violation(case: Case, response: httpx.Response) -> str:
    """Return what is wrong with a response: it must be a mask of the right size, or a 4xx problem. Empty if nothing."""
    content_type = response.headers.get("content-type", "")
    if response.status_code == 200:
        return _find_mask_violation(case, response, content_type)
    if not 400 <= response.status_code < 500:
        return f"the status is {response.status_code}: {response.text[:200]}"
    if content_type != "application/problem+json" or response.json()["status"] != response.status_code:
        return f"the {response.status_code} is not a problem+json"
    return ""


def _find_mask_violation(case: Case, response: httpx.Response, content_type: str) -> str:
    if case.size_wh is None:
        return "the response is a mask, but the body is not a photo"
    if content_type != "image/png":
        return f"the content type of the mask is {content_type}"
    mask = Image.open(io.BytesIO(response.content))
    mask.load()
    if mask.size not in (case.size_wh, case.size_wh[::-1]):
        return f"the size of the mask is {mask.size}, not {case.size_wh}"
    return ""


def send_all(url: str, cases: Iterable[Case], pss_mb: Callable[[], float]) -> Results:
    """Send all cases, a few at the same time.

    Args:
        url: URL of the function.
        cases: The cases.
        pss_mb: A function that measures the memory of the function in MiB.
    """
    results, lock = Results(), threading.Lock()
    with (
        httpx.Client(base_url=url, timeout=REQUEST_TIMEOUT_S) as client,
        ThreadPoolExecutor(CONCURRENCY) as pool,
        sampled(pss_mb) as memory_mb,
    ):

        def send(case: Case) -> None:
            start = time.monotonic()
            try:
                # As bytes, because some content types are not ASCII.
                headers = {b"Content-Type": case.content_type.encode("latin-1")}
                response = client.post("/", content=case.body, headers=headers)
            except httpx.HTTPError:
                response = None
            with lock:
                results.add(case, response, time.monotonic() - start)

        list(pool.map(send, cases))
    results.worst_mb = max(memory_mb)
    return results


@contextmanager
def sampled(measure: Callable[[], float]) -> Iterator[list[float]]:
    """Measure a value repeatedly in the background, and yield the list of values."""
    values, done = [measure()], threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLING_INTERVAL_S):
            values.append(measure())

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield values
    finally:
        done.set()
        sampler.join()
