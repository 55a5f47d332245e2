"""Many photos at once, and a thousand large ones: `python -m benchmarks.load`."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.harness import command, lifecycle, masks, percentiles, photos, results, venvs
from benchmarks.harness.load_generator import Job
from benchmarks.harness.options import CACHE, ROOT, Options
from benchmarks.harness.photos import Photo
from benchmarks.harness.progress import Progress
from benchmarks.harness.server_process import Server, serving
from benchmarks.harness.venvs import Field

NAMES = ("ours", "litserve", "ok")
LEVELS, OK_LEVEL = (1, 2, 4, 8, 16, 32, 64), 8
ROUNDS, SLICE_S = 3, 20.0
STEADY, QUICK_STEADY = (200, 800), (20, 20)  # requests before each look at what memory is kept
STEADY_LEVEL, SETTLE_S, SAMPLE_S, FOREVER_S = 8, 2.0, 0.25, 3600.0


@dataclass
class Slice:
    """One run of the generator, and the memory of the server during it: (seconds, MB)."""

    outcome: dict[str, Any]
    pss_mb: list[tuple[float, float]]

    @property
    def throughput(self) -> float:
        """Give right answers per second."""
        return float(self.outcome["right"] / max(1e-9, self.outcome["ended_s"] - self.outcome["began_s"]))


def measure(options: Options) -> dict[str, Any]:
    """Load every contestant by turns, level by level and round by round, then ours with large photos."""
    field = venvs.prepare(NAMES, options)
    about = results.machine()
    with contextlib.ExitStack() as stack:
        slices = in_slices(stack, field, options.quick)
    return {
        "machine": about,
        "quick": options.quick,
        "contestants": {
            one.name: {"title": one.title, "levels": {str(n): summarise(s) for n, s in slices[one.name].items()}}
            for one in field.present
        },
        "absent": field.absent,
        "steady": steady(field, QUICK_STEADY if options.quick else STEADY),
    }


def in_slices(stack: contextlib.ExitStack, field: Field, quick: bool) -> dict[str, dict[int, list[Slice]]]:
    """Run the generator against one server after the other; "ok" takes part once a round, to show what it costs.

    returns: the slices by contestant and level
    """
    levels, rounds, seconds = ((1, 8), 1, 1.5) if quick else (LEVELS, ROUNDS, SLICE_S)
    photo = photos.small()
    right = masks.expected([photo], field.pythons["ours"])[photo.name]
    servers = lifecycle.start(stack, field, photo, threads=max(LEVELS), workers=os.cpu_count() or 1)
    jobs = {server: prepare(server, photo, right, seconds) for server in servers}
    slices: dict[str, dict[int, list[Slice]]] = {one.name: defaultdict(list) for one in field.present}
    pairs = [(n, one) for n in levels for one in servers if one.contestant.name != "ok" or n == OK_LEVEL]
    progress = Progress("load", rounds * len(pairs))
    for turn in range(rounds):
        for level, server in pairs if turn % 2 == 0 else pairs[::-1]:
            with lifecycle.alone(server, servers):
                part = run(server, replace(jobs[server], in_flight=level))
            slices[server.contestant.name][level].append(part)
            progress.step(f"{server.contestant.title}, {level} in flight")
    return {name: dict(sorted(found.items())) for name, found in slices.items()}


def prepare(server: Server, photo: Photo, right: bytes, seconds: float) -> Job:
    """Write down what a server is asked and what it must answer: the bytes of its own first answer, once checked.

    raises: WrongMask
    """
    question = server.contestant.question(photo.data, photo.content_type)
    first, _ = server.first_reply(question)
    masks.check(server.contestant, first.body, right)
    folder = CACHE / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    request_file, right_file = (folder / f"{server.contestant.name}.{kind}" for kind in ("request", "right"))
    request_file.write_bytes(question.as_bytes(server.port))
    right_file.write_bytes(first.body)
    return Job(server.port, str(request_file), str(right_file), 1, seconds, sys.maxsize)


def run(server: Server, job: Job) -> Slice:
    """Let the generator do a job, and look at the server's memory meanwhile.

    raises: WrongMask
    """
    command = [sys.executable, "-m", "benchmarks.harness.load_generator"]
    found = CACHE / "jobs" / "outcome.json"
    samples = []
    pids = server.processes()
    with found.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=output)
        assert process.stdin
        process.stdin.write(json.dumps(asdict(job)).encode())
        process.stdin.close()
        try:
            while process.poll() is None:
                samples.append((time.monotonic(), server.pss_mb(pids)))
                time.sleep(SAMPLE_S)
        finally:
            process.kill()
            process.wait()
    outcome = json.loads(found.read_text())
    if outcome["wrong"] and server.contestant.name == "ours":
        raise masks.WrongMask(f"{outcome['wrong']} wrong masks with {job.in_flight} in flight")
    return Slice(outcome, samples)


def summarise(slices: list[Slice]) -> dict[str, Any]:
    """Give a level's figures, all its slices together."""
    latencies = [ms for part in slices for ms in part.outcome["latencies_ms"]] or [0.0]
    errors: dict[str, int] = {}
    for part in slices:
        for name, count in part.outcome["errors"].items():
            errors[name] = errors.get(name, 0) + count
    done = max(1, sum(len(part.outcome["done_s"]) for part in slices))
    pss = [mb for part in slices for _, mb in part.pss_mb]
    return {
        "throughput": percentiles.summary([part.throughput for part in slices]),
        "p50_ms": percentiles.percentile(latencies, 50),
        "p95_ms": percentiles.percentile(latencies, 95),
        "p99_ms": percentiles.percentile(latencies, 99),
        **{name: sum(part.outcome[name] for part in slices) for name in ("right", "wrong", "busy")},
        "errors": errors,
        "pss_mb": percentiles.summary(pss),
        "generator_cpu_ms": round(1000 * sum(part.outcome["cpu_s"] for part in slices) / done, 3),
    }


def steady(field: Field, counts: tuple[int, int]) -> dict[str, Any]:
    """Send ours so many large photos, eight at once, and see what memory it takes and keeps."""
    ours = next(one for one in field.present if one.name == "ours")
    photo = photos.of(12)
    right = masks.expected([photo], field.pythons["ours"])[photo.name]
    progress = Progress("steady", len(counts))
    curve: list[tuple[int, float]] = []
    kept, asked, wrongs, latencies = [], 0, 0, []
    with serving(ours, field.pythons["ours"], threads=STEADY_LEVEL) as server:
        job = prepare(server, photo, right, FOREVER_S)
        for count in counts:
            part = run(server, replace(job, in_flight=STEADY_LEVEL, requests=count))
            done = part.outcome["done_s"]
            curve += [(asked + sum(when <= at for when in done), round(mb, 1)) for at, mb in part.pss_mb]
            asked += count
            wrongs += count - part.outcome["right"]
            latencies += part.outcome["latencies_ms"]
            time.sleep(SETTLE_S)
            kept.append(round(server.pss_mb(), 2))
            progress.step(f"{asked} photos of 12 megapixels")
    return {
        "requests": asked,
        "not_right": wrongs,
        "p50_ms": round(statistics.median(latencies), 2) if latencies else None,
        "pss_mb": percentiles.summary([mb for _, mb in curve]),
        "kept_mb": {str(counts[0]): kept[0], str(asked): kept[1]},
        "growth": round(kept[1] / kept[0] - 1, 4),
        "curve": curve,
    }


if __name__ == "__main__":
    command.run("load", measure)
