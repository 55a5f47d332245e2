"""Send cases to a function, judge each answer, and watch its memory."""

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

from .case import Case

LIMIT_S = 60.0  # as deploy.sh sets it, the time after which the cloud gives up on a call
POLL_S = 0.02
AT_ONCE = 3


@dataclass
class Findings:
    """What became of the cases.

    wrong: a sentence for each answer that must not be
    """

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    worst_s: float = 0.0
    worst_case: str = ""
    worst_mb: float = 0.0

    def add(self, case: Case, answer: httpx.Response | None, seconds: float) -> None:
        """Count one answer, or that there was none."""
        self.cases += 1
        self.statuses[answer.status_code if answer else 0] += 1
        fault = judge(case, answer) if answer else "there was no answer"
        if fault:
            self.wrong.append(f"{case.name}: {fault}")
        if seconds > self.worst_s:
            self.worst_s, self.worst_case = seconds, case.name

    def figures(self) -> dict[str, object]:
        """Give the figures as they go into JSON."""
        return {
            "cases": self.cases,
            "by_status": {str(status): count for status, count in sorted(self.statuses.items())},
            "wrong": len(self.wrong),
            "worst_s": round(self.worst_s, 2),
            "worst_case": self.worst_case,
            "worst_pss_mb": round(self.worst_mb),
        }


def judge(case: Case, answer: httpx.Response) -> str:
    """Say what is wrong with an answer; nothing where it is as the contract has it."""
    kind = answer.headers.get("content-type", "")
    if answer.status_code == 200:
        if case.size_wh is None:
            return "it got a mask, and is no photo"
        if kind != "image/png":
            return f"its mask is sent as {kind}"
        mask = Image.open(io.BytesIO(answer.content))
        mask.load()
        return (
            "" if mask.size in (case.size_wh, case.size_wh[::-1]) else f"its mask has {mask.size}, not {case.size_wh}"
        )
    if not 400 <= answer.status_code < 500:
        return f"it got {answer.status_code}: {answer.text[:200]}"
    if kind != "application/problem+json" or answer.json()["status"] != answer.status_code:
        return f"its {answer.status_code} is no problem+json"
    return ""


def send(url: str, cases: Iterable[Case], pss_mb: Callable[[], float]) -> Findings:
    """Send all cases, a few at a time, and judge the answers."""
    findings, lock = Findings(), threading.Lock()
    with (
        httpx.Client(base_url=url, timeout=LIMIT_S) as client,
        ThreadPoolExecutor(AT_ONCE) as pool,
        watched(pss_mb) as memory,
    ):

        def one(case: Case) -> None:
            began = time.monotonic()
            try:
                head = {"Content-Type": case.content_type.encode("latin-1")}
                answer = client.post("/", content=case.body, headers=head)
            except httpx.HTTPError:
                answer = None
            with lock:
                findings.add(case, answer, time.monotonic() - began)

        list(pool.map(one, cases))
    findings.worst_mb = max(memory)
    return findings


@contextmanager
def watched(read: Callable[[], float]) -> Iterator[list[float]]:
    """Read a number again and again in the background."""
    numbers, done = [read()], threading.Event()

    def watch() -> None:
        while not done.wait(POLL_S):
            numbers.append(read())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield numbers
    finally:
        done.set()
        watcher.join()
