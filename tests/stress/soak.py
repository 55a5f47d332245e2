"""Soak test (`make soak`): a mix of clients calls the function for minutes.

Each mask is compared with the expected one, and the memory and threads of the function must not grow.
"""

from __future__ import annotations

import argparse
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

from tests.support.function_process import Function, launched
from tests.support.images import encode_image
from tests.support.local_segmenter import local_mask
from tests.support.paths import SAMPLE
from tests.support.raw_http import connect, read_response, request_head, send_in_pieces

PHOTO_SPECS = ((320, 240, "JPEG"), (451, 300, "WEBP"), (1200, 900, "JPEG"), (1600, 1200, "PNG"), (4000, 3000, "JPEG"))
STEADY_CLIENTS, BURST_SIZE = 6, 24
SAMPLING_INTERVAL_S = 0.25
MAX_GROWTH, GROWTH_SLACK_MB = 0.02, 4.0  # of the memory from the second third of the run to the last
RECOVERY_TIMEOUT_S = 10.0
# gunicorn closes connections that are idle for 2 s. Close them earlier here, so that no request meets a closing one.
LIMITS = httpx.Limits(max_connections=None, keepalive_expiry=1.0)
ENV = {"THREADS": "16", "WAIT_LIMIT_S": "0.1"}


@dataclass(frozen=True)
class Photo:
    """A photo and its expected mask."""

    data: bytes
    mask: bytes


@dataclass
class Report:
    """The measurements of a run.

    Attributes:
        outcomes: Number of requests by outcome: right, refused (503), hung up, wrong, lost (no response).
        pss_mb: Memory of the function in MiB, sampled during the run.
        threads: Number of threads of the function, sampled during the run.
        before_ms: Median latency before the run, in milliseconds.
        back_s: Time until the latency recovered after the run, in seconds; None if it did not.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    pss_mb: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)
    before_ms: float = 0.0
    back_s: float | None = None

    def faults(self) -> list[str]:
        """Return a description of each violation; none if the run has passed."""
        faults = [f"{self.outcomes[name]} {name}" for name in ("wrong", "lost") if self.outcomes[name]]
        second, last = thirds(self.pss_mb)
        if last > second * (1 + MAX_GROWTH) + GROWTH_SLACK_MB:
            faults.append(f"memory rose from {second:.0f} to {last:.0f} MB")
        second, last = thirds(self.threads)
        if last > second:
            faults.append(f"threads rose from {second:.0f} to {last:.0f}")
        if self.back_s is None:
            faults.append(f"the latency did not recover within {RECOVERY_TIMEOUT_S:.0f} s")
        return faults

    def figures(self) -> dict[str, object]:
        """Return the figures as they go into benchmarks/results/soak.json."""
        return {
            **{name: self.outcomes[name] for name in ("right", "refused", "hung up", "wrong", "lost")},
            "pss_mb": [round(value, 1) for value in (*thirds(self.pss_mb), max(self.pss_mb))],
            "threads": [*thirds(self.threads), max(self.threads)],
            "before_ms": round(self.before_ms, 1),
            "back_s": self.back_s and round(self.back_s, 1),
            "faults": self.faults(),
        }


def thirds(values: list[float]) -> tuple[float, float]:
    """Return the medians of the second and the last third of a series."""
    third = max(1, len(values) // 3)
    return statistics.median(values[-2 * third : -third] or values), statistics.median(values[-third:])


def make_photos() -> list[Photo]:
    """Return photos of PHOTO_SPECS with their masks."""
    photos = []
    for width, height, format in PHOTO_SPECS:
        with Image.open(SAMPLE) as image:
            data = encode_image(image.resize((width, height)), format)
        photos.append(Photo(data, local_mask(data)))
    return photos


def soak(function: Function, seconds: float, seed: int = 1) -> Report:
    """Run all clients for a while, and measure the function meanwhile and afterwards.

    Args:
        function: The function, started with ENV.
        seconds: Duration of the load.
        seed: Seed of the clients' random choices.
    """
    photos, report = make_photos(), Report()
    with httpx.Client(base_url=function.url, timeout=60, limits=LIMITS) as http:
        report.before_ms = latency_ms(http, photos[0], 15)
        end = time.monotonic() + seconds
        behaviours = [*[send_steadily] * STEADY_CLIENTS, send_slowly, hang_up, send_burst]
        with ThreadPoolExecutor(len(behaviours)) as pool:
            runs = []
            for number, behaviour in enumerate(behaviours):
                client = LoadClient(http, function.port, photos, random.Random(f"{seed} {number}"))
                runs.append(pool.submit(repeat, behaviour, client, report, end))
            while time.monotonic() < end:
                report.pss_mb.append(function.pss_mb())
                report.threads.append(function.threads())
                time.sleep(SAMPLING_INTERVAL_S)
            for run in runs:
                run.result()
        report.back_s = recovery_s(http, photos[0], 2 * report.before_ms + 20)
    return report


@dataclass(frozen=True)
class LoadClient:
    """What a client needs.

    Attributes:
        http: An HTTP client, which all share.
        port: Port of the function.
        photos: The photos to choose from.
        rng: The random choices of this client.
    """

    http: httpx.Client
    port: int
    photos: list[Photo]
    rng: random.Random


Behaviour = Callable[[LoadClient], list[str]]
_counting = threading.Lock()


def repeat(behaviour: Behaviour, client: LoadClient, report: Report, end: float) -> None:
    """Repeat a behaviour until a time of `time.monotonic`, and count its outcomes."""
    while time.monotonic() < end:
        outcomes = behaviour(client)
        with _counting:
            report.outcomes.update(outcomes)


def send_steadily(client: LoadClient) -> list[str]:
    """Send one photo after a short pause."""
    time.sleep(client.rng.random() * 0.2)
    return [send_photo(client.http, client.rng.choice(client.photos))]


def send_burst(client: LoadClient) -> list[str]:
    """Send many photos at the same time after a longer pause."""
    time.sleep(1 + client.rng.random())
    with ThreadPoolExecutor(BURST_SIZE) as pool:
        photos = client.rng.choices(client.photos, k=BURST_SIZE)
        return list(pool.map(lambda photo: send_photo(client.http, photo), photos))


def send_slowly(client: LoadClient) -> list[str]:
    """Send one photo in small pieces."""
    photo = client.rng.choice(client.photos)
    try:
        with connect(client.port) as connection:
            connection.sendall(request_head(f"Content-Length: {len(photo.data)}"))
            send_in_pieces(connection, photo.data, 12, 0.05)
            status, body = read_response(connection)
    except OSError:
        return ["lost"]
    return ["refused" if status == 503 else outcome(status, body, photo)]


def hang_up(client: LoadClient) -> list[str]:
    """Send a part of a photo, or all of it, and close the connection without reading the response."""
    photo, rng = client.rng.choice(client.photos), client.rng
    part = photo.data[: rng.randrange(len(photo.data) + 1)] if rng.random() < 0.7 else photo.data
    try:
        with connect(client.port) as connection:
            connection.sendall(request_head(f"Content-Length: {len(photo.data)}") + part)
            time.sleep(rng.random() * 0.05)
    except OSError:
        pass  # the function has already answered and closed the connection
    return ["hung up"]


def send_photo(http: httpx.Client, photo: Photo) -> str:
    """Send a photo, and return the outcome. A 503 must have a Retry-After."""
    try:
        response = http.post("/", content=photo.data)
    except httpx.HTTPError:
        return "lost"
    if response.status_code == 503:
        return "refused" if int(response.headers.get("retry-after", 0)) >= 1 else "wrong"
    return outcome(response.status_code, response.content, photo)


def outcome(status: int, body: bytes, photo: Photo) -> str:
    """Return the outcome of a response; its mask must be identical to the expected one."""
    if status == 0:
        return "lost"
    return "right" if (status, body) == (200, photo.mask) else "wrong"


def latency_ms(http: httpx.Client, photo: Photo, count: int) -> float:
    """Return the median latency of consecutive requests in milliseconds."""
    latencies = []
    for _ in range(count):
        start = time.perf_counter()
        http.post("/", content=photo.data)
        latencies.append((time.perf_counter() - start) * 1000)
    return statistics.median(latencies)


def recovery_s(http: httpx.Client, photo: Photo, limit_ms: float) -> float | None:
    """Return the time until the latency is below a limit, in seconds; None if it takes too long."""
    start = time.monotonic()
    while (seconds := time.monotonic() - start) < RECOVERY_TIMEOUT_S:
        if latency_ms(http, photo, 5) <= limit_ms:
            return seconds
    return None


def main() -> None:
    """Run the soak test; exit with 1 if it fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="duration of the load (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port of the function (default: any free one)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random choices (default: %(default)s)")
    arguments = parser.parse_args()
    with launched(ENV, port=arguments.port) as function:
        report = soak(function, 60 * arguments.minutes, arguments.seed)
    figures = {"minutes": arguments.minutes, **report.figures()}
    print("\n".join(f"{name:10} {value}" for name, value in figures.items()))
    print(json.dumps(figures))
    sys.exit(bool(report.faults()))


if __name__ == "__main__":
    main()
