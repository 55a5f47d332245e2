"""Time and memory as functions of the photo's size and of the number of classes. `python -m benchmarks.growth`."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import command, many_classes, masks, percentiles, photos, results, venvs
from benchmarks.harness.http_exchange import send_repeatedly
from benchmarks.harness.options import CACHE, MODEL, Options
from benchmarks.harness.photos import Photo
from benchmarks.harness.progress import ProgressBar
from benchmarks.harness.server_process import running
from benchmarks.harness.servers import SERVERS

MEGAPIXELS = (0.25, 1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 24.0, 36.0, 48.0)
CLASSES = (2, 3, 5, 10, 20, 50, 100, 150)
ROUNDS, REQUESTS, MEGAPIXELS_OF_CLASSES = 3, 9, 1.0


@dataclass(frozen=True)
class Case:
    """One point of a curve.

    Attributes:
        x: Megapixels or number of classes.
        photo: Photo to send.
        model: Model of the server.
    """

    x: float
    photo: Photo
    model: Path


def measure(options: Options) -> dict[str, Any]:
    """Measure both curves."""
    python = venvs.prepare(["ours"], options).pythons["ours"]
    machine = results.machine()
    sizes = (0.25, 1.0, 4.0) if options.quick else MEGAPIXELS
    counts = (2, 5, 20) if options.quick else CLASSES
    by_size = [Case(size, photos.of(size), MODEL) for size in sizes]
    photo = photos.of(MEGAPIXELS_OF_CLASSES)
    by_classes = [
        Case(count, photo, many_classes.write(CACHE / "models" / f"{count}.tflite", count)) for count in counts
    ]
    return {
        "machine": machine,
        "quick": options.quick,
        "megapixels": curve(by_size, python, options.quick),
        "classes": curve(by_classes, python, options.quick),
        "classes_photo_megapixels": round(photo.megapixels, 2),
    }


def curve(cases: Sequence[Case], python: Path, quick: bool) -> dict[str, Any]:
    """Measure each case with a fresh server, round by round, and fit a line to time and to memory."""
    rounds, requests = (1, 2) if quick else (ROUNDS, REQUESTS)
    times_ms: dict[float, list[float]] = defaultdict(list)
    peaks_mb: dict[float, list[float]] = defaultdict(list)
    references = {case: masks.reference([case.photo], python, model=case.model)[case.photo.name] for case in cases}
    progress = ProgressBar("growth", rounds * len(cases))
    for _ in range(rounds):
        for case in cases:
            ms, peak_mb = measure_case(case, python, references[case], requests)
            times_ms[case.x] += ms
            peaks_mb[case.x].append(peak_mb)
            progress.step(f"{case.photo.name}, {case.model.stem}")
    xs = [case.x for case in cases]
    return {
        "x": xs,
        "ms": [percentiles.summary(times_ms[x]) for x in xs],
        "peak_mb": [percentiles.summary(peaks_mb[x]) for x in xs],
        "ms_line": percentiles.line(xs, [statistics.median(times_ms[x]) for x in xs]),
        "peak_mb_line": percentiles.line(xs, [statistics.median(peaks_mb[x]) for x in xs]),
    }


def measure_case(case: Case, python: Path, reference: bytes, requests: int) -> tuple[list[float], float]:
    """Start a server and send it the photo a few times.

    Returns:
        The milliseconds of each response, and the peak memory in MB: the PSS before any photo, plus the growth of each
        process to its peak.

    Raises:
        WrongMask: If a response differs from the reference mask.
    """
    spec = SERVERS["ours"]
    request = spec.request(case.photo.data, case.photo.content_type)
    with running(spec, python, env={"MODEL_URI": str(case.model)}) as server:
        server.wait_until_ready()
        idle_mb, before = server.pss_mb(), server.resident_mb(peak=False)
        responses = send_repeatedly(server.port, request, requests)
        after = server.resident_mb(peak=True)
    for response in responses:
        masks.check(spec, response.body, reference)
    growth_mb = sum(max(0.0, mb - before.get(pid, 0.0)) for pid, mb in after.items())
    return [response.ms for response in responses], idle_mb + growth_mb


if __name__ == "__main__":
    command.run("growth", measure)
