"""A storm of clients against the function: each mask is compared, memory and threads are watched (`make soak`)."""

from __future__ import annotations

import argparse
import io
import json
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
from PIL import Image

from model.options import Options
from model.segmenter import Segmenter
from model.serving.settings import Settings
from tests.support.function_process import Function, launched
from tests.support.paths import SAMPLE
from tests.support.raw_http import connect, read_response, request_head, send_in_pieces

SIZES = ((320, 240, "JPEG"), (451, 300, "WEBP"), (1200, 900, "JPEG"), (1600, 1200, "PNG"), (4000, 3000, "JPEG"))
CLIENTS, BURST = 6, 24
SAMPLE_S = 0.25
RISE, SLACK_MB = 0.02, 4.0  # of the memory from the second third to the last
BACK_LIMIT_S = 10.0
# gunicorn closes what was idle for 2 s, which can cross a request on its way: so this client does it sooner
LIMITS = httpx.Limits(max_connections=None, keepalive_expiry=1.0)
ENV = {"THREADS": "16", "WAIT_LIMIT_S": "0.1"}


@dataclass(frozen=True)
class Photo:
    """A photo, and the mask that it must get."""

    data: bytes
    mask: bytes


@dataclass
class Report:
    """What happened: requests by outcome, and what was read of the processes."""

    outcomes: Counter[str] = field(default_factory=Counter)
    pss_mb: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)
    before_ms: float = 0.0
    back_s: float | None = None

    def faults(self) -> list[str]:
        """Say what must not be."""
        found = [f"{self.outcomes[name]} {name}" for name in ("wrong", "lost") if self.outcomes[name]]
        second, last = thirds(self.pss_mb)
        if last > second * (1 + RISE) + SLACK_MB:
            found.append(f"memory rose from {second:.0f} to {last:.0f} MB")
        second, last = thirds(self.threads)
        if last > second:
            found.append(f"threads rose from {second:.0f} to {last:.0f}")
        if self.back_s is None:
            found.append(f"latency was not what it had been {BACK_LIMIT_S:.0f} s after the storm")
        return found

    def figures(self) -> dict[str, object]:
        """Give the figures as they go into JSON."""
        return {
            **{name: self.outcomes[name] for name in ("right", "refused", "hung up", "wrong", "lost")},
            "pss_mb": [round(value, 1) for value in (*thirds(self.pss_mb), max(self.pss_mb))],
            "threads": [*thirds(self.threads), max(self.threads)],
            "before_ms": round(self.before_ms, 1),
            "back_s": self.back_s and round(self.back_s, 1),
            "faults": self.faults(),
        }


def thirds(values: list[float]) -> tuple[float, float]:
    """Give the median of the second third, and of the last."""
    third = max(1, len(values) // 3)
    return statistics.median(values[-2 * third : -third] or values), statistics.median(values[-third:])


def photos() -> list[Photo]:
    """Make photos of mixed sizes and formats, and their masks in this process."""
    segmenter = Segmenter(Settings())
    options = Options.parse({}, segmenter.card)
    made = []
    for width, height, kind in SIZES:
        with Image.open(SAMPLE) as image, io.BytesIO() as file:
            image.resize((width, height)).save(file, kind)
            data = file.getvalue()
        made.append(Photo(data, segmenter.segment(data, options).body))
    return made


def soak(function: Function, seconds: float, seed: int = 1) -> Report:
    """Let the storm blow for a while, watch it, and see how soon it is calm again."""
    made, report = photos(), Report()
    with httpx.Client(base_url=function.url, timeout=60, limits=LIMITS) as client:
        report.before_ms = latency_ms(client, made[0], 15)
        end = time.monotonic() + seconds
        ways = [*[ordinary] * CLIENTS, slow, hanging_up, burst]
        with ThreadPoolExecutor(len(ways)) as pool:
            storm = [
                pool.submit(keep_on, way, client, function.port, made, report, end, random.Random(f"{seed} {number}"))
                for number, way in enumerate(ways)
            ]
            while time.monotonic() < end:
                report.pss_mb.append(function.pss_mb())
                report.threads.append(function.threads())
                time.sleep(SAMPLE_S)
            for done in storm:
                done.result()
        report.back_s = calm(client, made[0], 2 * report.before_ms + 20)
    return report


Way = Callable[[httpx.Client, int, list[Photo], random.Random], list[str]]
COUNTING = threading.Lock()


def keep_on(
    way: Way, client: httpx.Client, port: int, made: list[Photo], report: Report, end: float, chance: random.Random
) -> None:
    """Do one thing again and again until the end."""
    while time.monotonic() < end:
        outcomes = way(client, port, made, chance)
        with COUNTING:
            report.outcomes.update(outcomes)


def ordinary(client: httpx.Client, port: int, made: list[Photo], chance: random.Random) -> list[str]:
    """Send one photo, and think for a moment."""
    time.sleep(chance.random() * 0.2)
    return [ask(client, chance.choice(made))]


def burst(client: httpx.Client, port: int, made: list[Photo], chance: random.Random) -> list[str]:
    """Ask for everything at once, and then for nothing."""
    time.sleep(1 + chance.random())
    with ThreadPoolExecutor(BURST) as pool:
        return list(pool.map(lambda photo: ask(client, photo), chance.choices(made, k=BURST)))


def slow(client: httpx.Client, port: int, made: list[Photo], chance: random.Random) -> list[str]:
    """Send one photo in small pieces."""
    photo = chance.choice(made)
    try:
        with connect(port) as connection:
            connection.sendall(request_head(f"Content-Length: {len(photo.data)}"))
            send_in_pieces(connection, photo.data, 12, 0.05)
            status, body = read_response(connection)
    except OSError:
        return ["lost"]
    return ["refused" if status == 503 else outcome(status, body, photo)]


def hanging_up(client: httpx.Client, port: int, made: list[Photo], chance: random.Random) -> list[str]:
    """Send a part of a photo, or all of it, and leave without the answer."""
    photo = chance.choice(made)
    part = photo.data[: chance.randrange(len(photo.data) + 1)] if chance.random() < 0.7 else photo.data
    try:
        with connect(port) as connection:
            connection.sendall(request_head(f"Content-Length: {len(photo.data)}") + part)
            time.sleep(chance.random() * 0.05)
    except OSError:
        pass  # it answered and closed before we left
    return ["hung up"]


def ask(client: httpx.Client, photo: Photo) -> str:
    """Send a photo, and tell the outcome: a refusal must say when to come back."""
    try:
        answered = client.post("/", content=photo.data)
    except httpx.HTTPError:
        return "lost"
    if answered.status_code == 503:
        return "refused" if int(answered.headers.get("retry-after", 0)) >= 1 else "wrong"
    return outcome(answered.status_code, answered.content, photo)


def outcome(status: int, body: bytes, photo: Photo) -> str:
    """Compare a mask bit for bit."""
    if status == 0:
        return "lost"
    return "right" if (status, body) == (200, photo.mask) else "wrong"


def latency_ms(client: httpx.Client, photo: Photo, times: int) -> float:
    """Give the median time of one photo after the other."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        client.post("/", content=photo.data)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def calm(client: httpx.Client, photo: Photo, limit_ms: float) -> float | None:
    """Tell how many seconds it takes until the latency is below a limit; None if it does not come."""
    began = time.monotonic()
    while (seconds := time.monotonic() - began) < BACK_LIMIT_S:
        if latency_ms(client, photo, 5) <= limit_ms:
            return seconds
    return None


def table(figures: dict[str, object]) -> str:
    """Lay the figures out for people."""
    return "\n".join(f"{name:10} {value}" for name, value in figures.items())


def main() -> None:
    """Run the storm that the command asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--port", type=int, default=0, help="by default any that is free")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with launched(ENV, port=arguments.port) as function:
        report = soak(function, 60 * arguments.minutes, arguments.seed)
    figures = {"minutes": arguments.minutes, **report.figures()}
    print(table(figures))
    print(json.dumps(figures))
    sys.exit(bool(report.faults()))


if __name__ == "__main__":
    main()
