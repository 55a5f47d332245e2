"""Throughput and latency under load, and memory over 1000 large photos. `python -m benchmarks.load`."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.harness import command, lifecycle, masks, percentiles, photos, results, venvs
from benchmarks.harness.load_generator import Job
from benchmarks.harness.options import CACHE, ROOT, Options
from benchmarks.harness.photos import Photo
from benchmarks.harness.progress import ProgressBar
from benchmarks.harness.server_process import ServerProcess, running
from benchmarks.harness.servers import SERVERS
from benchmarks.harness.venvs import ServerSet

NAMES = ("ours", "litserve-float16", "litserve-int8", "ok")
LEVELS, OK_LEVEL = (1, 2, 4, 8, 16, 32, 64), 8
ROUNDS, RUN_S = 3, 8.0
STEADY_BATCHES, QUICK_STEADY_BATCHES = (200, 800), (20, 20)  # requests before each reading of the idle memory
STEADY_LEVEL, IDLE_S, SAMPLE_S, UNLIMITED_S = 8, 2.0, 0.25, 3600.0


@dataclass
class Run:
    """One run of the load generator.

    Attributes:
        result: The `JobResult` as a dict.
        pss_mb: Memory of the server during the run, as pairs of time (`time.monotonic`) and MB.
    """

    result: dict[str, Any]
    pss_mb: list[tuple[float, float]]

    @property
    def throughput(self) -> float:
        """Correct responses per second."""
        return float(self.result["correct"] / max(1e-9, self.result["end_s"] - self.result["start_s"]))


def measure(options: Options) -> dict[str, Any]:
    """Load each server in turn, level by level and round by round, then ours with large photos."""
    servers = venvs.prepare(NAMES, options)
    machine = results.machine()
    with contextlib.ExitStack() as stack:
        runs = run_levels(stack, servers, options.quick)
    return {
        "machine": machine,
        "quick": options.quick,
        "servers": {
            spec.name: {
                "title": spec.title,
                "levels": {str(level): summarise(level_runs) for level, level_runs in runs[spec.name].items()},
            }
            for spec in servers.available
        },
        "absent": servers.absent,
        "steady": measure_steady_load(servers, QUICK_STEADY_BATCHES if options.quick else STEADY_BATCHES),
    }


def run_levels(stack: contextlib.ExitStack, server_set: ServerSet, quick: bool) -> dict[str, dict[int, list[Run]]]:
    """Run the load generator against one server after the other.

    The server "ok" runs at one level only, to show the cost of the load generator itself.

    Args:
        stack: Stops the servers on exit.
        server_set: The servers to load.
        quick: Whether to run two short levels only.

    Returns:
        The runs by server name and number of requests in flight.
    """
    levels, rounds, seconds = ((1, 8), 1, 1.5) if quick else (LEVELS, ROUNDS, RUN_S)
    photo = photos.small()
    references = masks.references(server_set.available, [photo], server_set.pythons["ours"])
    servers = lifecycle.start_all(stack, server_set, photo, threads=max(LEVELS), workers=os.cpu_count() or 1)
    jobs = {server: prepare_job(server, photo, references[server.spec.name][photo.name], seconds) for server in servers}
    runs: dict[str, dict[int, list[Run]]] = {spec.name: defaultdict(list) for spec in server_set.available}
    pairs = [(level, server) for level in levels for server in servers if server.spec.name != "ok" or level == OK_LEVEL]
    progress = ProgressBar("load", rounds * len(pairs))
    for turn in range(rounds):
        for level, server in pairs if turn % 2 == 0 else pairs[::-1]:
            with lifecycle.others_paused(server, servers):
                runs[server.spec.name][level].append(run_job(server, replace(jobs[server], in_flight=level)))
            progress.step(f"{server.spec.title}, {level} in flight")
    return {name: dict(sorted(by_level.items())) for name, by_level in runs.items()}


def prepare_job(server: ServerProcess, photo: Photo, reference: bytes, seconds: float) -> Job:
    """Write the files of a job: the request, and the server's first response as the expected body.

    Raises:
        WrongMask: If the first response is not the right mask.
    """
    request = server.spec.request(photo.data, photo.content_type)
    first, _ = server.first_response(request)
    masks.check(server.spec, first.body, reference)
    folder = CACHE / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    request_file, expected_file = (folder / f"{server.spec.name}.{suffix}" for suffix in ("request", "expected"))
    request_file.write_bytes(request.to_bytes(server.port))
    expected_file.write_bytes(first.body)
    return Job(server.port, str(request_file), str(expected_file), 1, seconds, sys.maxsize)


def run_job(server: ServerProcess, job: Job) -> Run:
    """Run the load generator and sample the server's memory meanwhile.

    Raises:
        WrongMask: If our own server returns a wrong mask.
    """
    generator = [sys.executable, "-m", "benchmarks.harness.load_generator"]
    result_file = CACHE / "jobs" / "result.json"
    samples = []
    pids = server.processes()
    with result_file.open("wb") as output:
        process = subprocess.Popen(generator, cwd=ROOT, stdin=subprocess.PIPE, stdout=output)
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
    result = json.loads(result_file.read_text())
    if result["incorrect"] and server.spec.is_ours:
        raise masks.WrongMask(f"{result['incorrect']} wrong masks with {job.in_flight} requests in flight")
    return Run(result, samples)


def summarise(runs: list[Run]) -> dict[str, Any]:
    """Return the figures of one level over all its runs."""
    latencies = [ms for run in runs for ms in run.result["latencies_ms"]] or [0.0]
    errors: Counter[str] = Counter()
    for run in runs:
        errors.update(run.result["errors"])
    responses = max(1, sum(len(run.result["response_times_s"]) for run in runs))
    return {
        "throughput": percentiles.summary([run.throughput for run in runs]),
        "p50_ms": percentiles.percentile(latencies, 50),
        "p95_ms": percentiles.percentile(latencies, 95),
        "p99_ms": percentiles.percentile(latencies, 99),
        **{name: sum(run.result[name] for run in runs) for name in ("correct", "incorrect", "rejected")},
        "errors": errors,
        "pss_mb": percentiles.summary([mb for run in runs for _, mb in run.pss_mb]),
        "generator_cpu_ms": round(1000 * sum(run.result["cpu_s"] for run in runs) / responses, 3),
    }


def measure_steady_load(servers: ServerSet, batches: tuple[int, int]) -> dict[str, Any]:
    """Send batches of 12-megapixel photos to our server, eight in flight; record its memory during and after each."""
    python = servers.pythons["ours"]
    photo = photos.of(12)
    reference = masks.reference([photo], python)[photo.name]
    progress = ProgressBar("steady", len(batches))
    curve: list[tuple[int, float]] = []
    idle_mb, sent, failed, latencies = [], 0, 0, []
    with running(SERVERS["ours"], python, threads=STEADY_LEVEL) as server:
        job = prepare_job(server, photo, reference, UNLIMITED_S)
        for count in batches:
            run = run_job(server, replace(job, in_flight=STEADY_LEVEL, requests=count))
            times = run.result["response_times_s"]
            curve += [(sent + sum(when <= at for when in times), round(mb, 1)) for at, mb in run.pss_mb]
            sent += count
            failed += count - run.result["correct"]
            latencies += run.result["latencies_ms"]
            time.sleep(IDLE_S)
            idle_mb.append(round(server.pss_mb(), 2))
            progress.step(f"{sent} photos of 12 megapixels")
    return {
        "requests": sent,
        "failed": failed,
        "p50_ms": round(statistics.median(latencies), 2) if latencies else None,
        "pss_mb": percentiles.summary([mb for _, mb in curve]),
        "idle_mb": {str(batches[0]): idle_mb[0], str(sent): idle_mb[1]},
        "growth": round(idle_mb[1] / idle_mb[0] - 1, 4),
        "curve": curve,
    }


if __name__ == "__main__":
    command.run("load", measure)
