"""Cold start: time from process start to the first mask, and memory after it. `python -m benchmarks.cold`."""

from __future__ import annotations

import json
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.harness import command, masks, percentiles, photos, results, sizes, venvs
from benchmarks.harness.http_exchange import send_repeatedly
from benchmarks.harness.lifecycle import rotate
from benchmarks.harness.options import ROOT, Options
from benchmarks.harness.progress import ProgressBar
from benchmarks.harness.server_process import ServerFailed, running
from benchmarks.harness.servers import SERVERS, ServerSpec
from benchmarks.harness.venvs import ServerSet

ROUNDS, WARM_REQUESTS = 7, 10

Measurements = dict[str, list[float]]


def measure(options: Options) -> dict[str, Any]:
    """Start each server once per round, after a first round that is not measured."""
    servers = venvs.prepare(SERVERS, options)
    rounds, warm_requests = (1, 2) if options.quick else (ROUNDS, WARM_REQUESTS)
    machine = results.machine()
    photo = photos.small()
    ours = servers.pythons["ours"]
    references = {size: masks.references(servers.available, [photo], ours, size) for size in ("photo", "model")}
    measurements: dict[str, Measurements] = defaultdict(lambda: defaultdict(list))
    progress = ProgressBar("cold", (rounds + 1) * len(servers.available))
    for turn in range(rounds + 1):
        for spec in rotate(servers.available, turn):
            values = measurements[spec.name] if turn else defaultdict(list)  # the first round fills the page cache
            try:
                reference = references["model" if spec.output == "tensor" else "photo"][spec.name][photo.name]
                start_once(spec, servers.pythons[spec.name], photo, reference, warm_requests, values)
            except ServerFailed as error:
                servers.mark_absent(spec, error)
            progress.step(spec.title)
    return {
        "machine": machine,
        "quick": options.quick,
        "photo": {"width": photo.size_wh[0], "height": photo.size_wh[1], "bytes": len(photo.data)},
        "servers": {
            spec.name: summarise(spec, measurements[spec.name], servers, options) for spec in servers.available
        },
        "absent": servers.absent,
        "source_zipped_mb": sizes.source_zipped_mb(),
        "steps": startup_steps(ours, photo, rounds),
    }


def startup_steps(python: Path, photo: photos.Photo, rounds: int) -> dict[str, percentiles.Summary]:
    """Measure the steps of our own start in fresh processes, the first of which is not measured.

    Returns:
        Milliseconds by step, in their order.
    """
    times_ms: dict[str, list[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        process = [str(python), "-m", "benchmarks.harness.startup_steps", str(photo.file), str(time.time())]
        done = subprocess.run(process, cwd=ROOT, check=True, capture_output=True, text=True)
        for name, ms in json.loads(done.stdout.splitlines()[-1]).items() if turn else ():
            times_ms[name].append(ms)
    return {name: percentiles.summary(ms) for name, ms in times_ms.items()}


def start_once(
    spec: ServerSpec,
    python: Path,
    photo: photos.Photo,
    reference: bytes,
    warm_requests: int,
    values: Measurements,
) -> None:
    """Start a server, request a mask, read its memory, then request some more masks.

    Args:
        spec: The server to start.
        python: Its interpreter.
        photo: Photo to send.
        reference: The reference mask.
        warm_requests: Requests after the first mask.
        values: Lists that the measurements are appended to.

    Raises:
        ServerFailed: If the server does not start.
        WrongMask: If it returns a wrong mask.
    """
    request = spec.request(photo.data, photo.content_type)
    with running(spec, python) as server:
        first, ms = server.first_response(request)
        values["pss_mb"].append(server.pss_mb())
        responses = send_repeatedly(server.port, request, warm_requests)
    values["cold_ms"].append(ms)
    values["warm_ms"].extend(response.ms for response in responses)
    values["response_bytes"].append(len(first.body))
    values["agreement"].extend(masks.check(spec, response.body, reference) for response in (first, *responses))


def summarise(spec: ServerSpec, values: Measurements, servers: ServerSet, options: Options) -> dict[str, Any]:
    """Return the medians and ranges of a server."""
    shared_python = not options.install or (spec.name == "flask_tensorflow" and options.flask_tensorflow_python)
    return {
        "title": spec.title,
        "cold_ms": percentiles.summary(values["cold_ms"]),
        "warm_ms": percentiles.summary(values["warm_ms"]),
        "pss_mb": percentiles.summary(values["pss_mb"]),
        "response_bytes": int(values["response_bytes"][0]),
        "agreement": round(min(values["agreement"]), 5),
        "installed_mb": None if shared_python else sizes.installed_mb(servers.pythons[spec.name]),
    }


if __name__ == "__main__":
    command.run("cold", measure)
