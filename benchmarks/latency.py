"""One photo at a time, from small to large, beside the least it can cost: `python -m benchmarks.latency`."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import Any

from benchmarks.harness import command, lifecycle, masks, percentiles, photos, results, venvs
from benchmarks.harness.floor import Floor
from benchmarks.harness.http_exchange import Reply, ask_in_a_row
from benchmarks.harness.options import Options
from benchmarks.harness.photos import Photo
from benchmarks.harness.progress import Progress
from benchmarks.harness.server_process import Server
from benchmarks.harness.servers import Contestant

NAMES = ("ours", "naive", "litserve", "ok")
ROUNDS, IN_A_ROW = 10, 3


def measure(options: Options) -> dict[str, Any]:
    """Ask every contestant for every photo by turns, and time the floor between them."""
    field = venvs.prepare(NAMES, options)
    rounds, in_a_row = (1, 1) if options.quick else (ROUNDS, IN_A_ROW)
    about = results.machine()
    taken = [photos.small(), photos.of(1), photos.of(12), photos.of(48), photos.of(12, "png")]
    taken = [taken[0], taken[2]] if options.quick else taken
    right = masks.expected(taken, field.pythons["ours"])
    progress = Progress("latency", rounds * len(taken))
    answers = []
    with contextlib.ExitStack() as stack:
        servers = lifecycle.start(stack, field, taken[0])
        for photo in taken:
            floor = Floor(photo, right[photo.name])
            replies: dict[str, list[Reply]] = defaultdict(list)
            for turn in range(rounds):
                for server in lifecycle.in_turn(servers, turn):
                    with lifecycle.alone(server, servers):
                        replies[server.contestant.name] += visit(server, photo, in_a_row)
                with lifecycle.alone(None, servers):
                    floor.visit(in_a_row)
                progress.step(photo.name)
            answers.append(summarise(photo, floor, field.present, replies, right[photo.name]))
    return {"machine": about, "quick": options.quick, "photos": answers, "absent": field.absent}


def visit(server: Server, photo: Photo, in_a_row: int) -> list[Reply]:
    """Ask a server a few times."""
    return ask_in_a_row(server.port, server.contestant.question(photo.data, photo.content_type), in_a_row)


def summarise(
    photo: Photo, floor: Floor, present: list[Contestant], replies: dict[str, list[Reply]], right: bytes
) -> dict[str, Any]:
    """Give a photo's medians: of each contestant, of our stages, and of the floor's."""
    contestants = {}
    for one in present:
        own = replies[one.name]
        share = min(masks.check(one, reply.body, right) for reply in own)
        contestants[one.name] = {
            "title": one.title,
            "ms": percentiles.summary([reply.ms for reply in own]),
            "agreement": round(share, 5),
            "answer_bytes": len(own[0].body),
        }
    stages: dict[str, list[float]] = defaultdict(list)
    for reply in replies["ours"]:
        for stage, ms in reply.stages_ms.items():
            stages[stage].append(ms)
    best = floor.best()
    return {
        "name": photo.name,
        "megapixels": round(photo.megapixels, 2),
        "bytes": len(photo.data),
        "contestants": contestants,
        "stages_ms": percentiles.medians(stages),
        "floor_ms": {stage: round(ms, 3) for stage, (_, ms) in best.items()},
        "floor_ways": {stage: way for stage, (way, _) in best.items()},
        "floor_same_mask": floor.same_mask,
    }


if __name__ == "__main__":
    command.run("latency", measure)
