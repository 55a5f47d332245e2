"""What grows with the photo, and what with the classes: `python -m benchmarks.growth`."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import command, many_classes, masks, percentiles, photos, results, venvs
from benchmarks.harness.http_exchange import ask_in_a_row
from benchmarks.harness.options import CACHE, MODEL, Options
from benchmarks.harness.photos import Photo
from benchmarks.harness.progress import Progress
from benchmarks.harness.server_process import serving
from benchmarks.harness.venvs import Field

MEGAPIXELS = (0.25, 1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 24.0, 36.0, 48.0)
CLASSES = (2, 3, 5, 10, 20, 50, 100, 150)
ROUNDS, IN_A_ROW, CLASSES_MEGAPIXELS = 3, 9, 1.0


@dataclass(frozen=True)
class Case:
    """One point of a curve."""

    x: float
    photo: Photo
    model: Path


def measure(options: Options) -> dict[str, Any]:
    """Measure both curves."""
    ready = venvs.prepare(["ours"], options)
    about = results.machine()
    sizes = (0.25, 1.0, 4.0) if options.quick else MEGAPIXELS
    counts = (2, 5, 20) if options.quick else CLASSES
    by_size = [Case(one, photos.of(one), MODEL) for one in sizes]
    photo = photos.of(CLASSES_MEGAPIXELS)
    by_classes = [Case(one, photo, many_classes.write(CACHE / "models" / f"{one}.tflite", one)) for one in counts]
    return {
        "machine": about,
        "quick": options.quick,
        "megapixels": curve(by_size, ready, options.quick),
        "classes": curve(by_classes, ready, options.quick),
        "classes_photo_megapixels": round(photo.megapixels, 2),
    }


def curve(cases: Sequence[Case], ready: Field, quick: bool) -> dict[str, Any]:
    """Measure the cases by turns, a fresh server for each, and fit a line to time and to memory."""
    rounds, in_a_row = (1, 2) if quick else (ROUNDS, IN_A_ROW)
    times_ms: dict[float, list[float]] = defaultdict(list)
    peaks_mb: dict[float, list[float]] = defaultdict(list)
    python = ready.pythons["ours"]
    right = {case: masks.expected([case.photo], python, model=case.model)[case.photo.name] for case in cases}
    progress = Progress("growth", rounds * len(cases))
    for _ in range(rounds):
        for case in cases:
            ms, peak_mb = visit(case, ready, right[case], in_a_row)
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


def visit(case: Case, ready: Field, right: bytes, in_a_row: int) -> tuple[list[float], float]:
    """Start a server, and send it one photo a few times.

    returns: milliseconds of each, and the peak of memory: what the server holds before any photo, each shared page
        counted once, and what its processes grew by at their highest
    raises: WrongMask
    """
    contestant = ready.present[0]
    question = contestant.question(case.photo.data, case.photo.content_type)
    with serving(contestant, ready.pythons["ours"], env={"MODEL_URI": str(case.model)}) as server:
        server.wait_until_it_describes_itself()
        idle_mb, before = server.pss_mb(), server.resident_mb(peak=False)
        replies = ask_in_a_row(server.port, question, in_a_row)
        after = server.resident_mb(peak=True)
    for reply in replies:
        masks.check(contestant, reply.body, right)
    grown_mb = sum(max(0.0, mb - before.get(pid, 0.0)) for pid, mb in after.items())
    return [reply.ms for reply in replies], idle_mb + grown_mb


if __name__ == "__main__":
    command.run("growth", measure)
