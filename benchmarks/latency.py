"""Latency of single photos by stage, compared with competitors and a lower bound. `python -m benchmarks.latency`."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import Any

from benchmarks.harness import command, lifecycle, masks, percentiles, photos, results, venvs
from benchmarks.harness.floor import Floor
from benchmarks.harness.http_exchange import Response, send_repeatedly
from benchmarks.harness.options import Options
from benchmarks.harness.photos import Photo
from benchmarks.harness.progress import ProgressBar
from benchmarks.harness.server_process import ServerProcess
from benchmarks.harness.servers import ServerSpec

NAMES = ("ours", "ours-float16", "naive-float16", "naive-int8", "litserve-float16", "litserve-int8", "ok")
ROUNDS, REQUESTS = 10, 3
FAST_MEGAPIXELS = 20  # a larger photo, or a PNG, is sent once a round


def measure(options: Options) -> dict[str, Any]:
    """Send each photo to each server in turn, and time the lower bound in between."""
    server_set = venvs.prepare(NAMES, options)
    rounds, requests = (1, 1) if options.quick else (ROUNDS, REQUESTS)
    machine = results.machine()
    selected = [photos.small(), photos.of(1), photos.of(12), photos.of(48), photos.of(12, "png")]
    selected = [selected[0], selected[2]] if options.quick else selected
    references = masks.references(server_set.available, selected, server_set.pythons["ours"])
    progress = ProgressBar("latency", rounds * len(selected))
    summaries = []
    with contextlib.ExitStack() as stack:
        servers = lifecycle.start_all(stack, server_set, selected[0])
        for photo in selected:
            floor = Floor(photo, references["ours"][photo.name])
            count = requests if photo.content_type == "image/jpeg" and photo.megapixels <= FAST_MEGAPIXELS else 1
            responses: dict[str, list[Response]] = defaultdict(list)
            for turn in range(rounds):
                for server in lifecycle.rotate(servers, turn):
                    with lifecycle.others_paused(server, servers):
                        responses[server.spec.name] += send(server, photo, count)
                with lifecycle.others_paused(None, servers):
                    floor.measure(count)
                progress.step(photo.name)
            expected = {name: masks_of[photo.name] for name, masks_of in references.items()}
            summaries.append(summarise(photo, floor, server_set.available, responses, expected))
    return {"machine": machine, "quick": options.quick, "photos": summaries, "absent": server_set.absent}


def send(server: ServerProcess, photo: Photo, requests: int) -> list[Response]:
    """Send a photo to a server a few times."""
    return send_repeatedly(server.port, server.spec.request(photo.data, photo.content_type), requests)


def summarise(
    photo: Photo,
    floor: Floor,
    specs: list[ServerSpec],
    responses: dict[str, list[Response]],
    references: dict[str, bytes],
) -> dict[str, Any]:
    """Return the medians of a photo: of each server, of our own stages, and of the lower bound."""
    servers = {}
    for spec in specs:
        own = responses[spec.name]
        servers[spec.name] = {
            "title": spec.title,
            "ms": percentiles.summary([response.ms for response in own]),
            "agreement": round(min(masks.check(spec, response.body, references[spec.name]) for response in own), 5),
            "response_bytes": len(own[0].body),
        }
    stages: dict[str, list[float]] = defaultdict(list)
    for response in responses["ours"]:
        for stage, ms in response.stages_ms.items():
            stages[stage].append(ms)
    fastest = floor.fastest()
    return {
        "name": photo.name,
        "megapixels": round(photo.megapixels, 2),
        "bytes": len(photo.data),
        "servers": servers,
        "stages_ms": percentiles.medians(stages),
        "floor_ms": {stage: round(ms, 3) for stage, (_, ms) in fastest.items()},
        "floor_methods": {stage: method for stage, (method, _) in fastest.items()},
        "floor_same_mask": floor.same_mask,
    }


if __name__ == "__main__":
    command.run("latency", measure)
