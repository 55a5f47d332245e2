"""From the start of a process to its first mask, and what it then holds: `python -m benchmarks.cold`."""

from __future__ import annotations

import json
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.harness import command, masks, percentiles, photos, results, sizes, venvs
from benchmarks.harness.http_exchange import ask_in_a_row
from benchmarks.harness.lifecycle import in_turn
from benchmarks.harness.options import ROOT, Options
from benchmarks.harness.progress import Progress
from benchmarks.harness.server_process import ServerFailed, serving
from benchmarks.harness.servers import ALL, Contestant
from benchmarks.harness.venvs import Field

ROUNDS, WARM = 7, 10

Runs = dict[str, dict[str, list[float]]]


def measure(options: Options) -> dict[str, Any]:
    """Start every contestant by turns, once unmeasured and then round by round."""
    field = venvs.prepare(ALL, options)
    rounds, warm = (1, 2) if options.quick else (ROUNDS, WARM)
    about = results.machine()
    photo = photos.small()
    ours = field.pythons["ours"]
    right = {size: masks.expected([photo], ours, size)[photo.name] for size in ("photo", "model")}
    runs: Runs = defaultdict(lambda: defaultdict(list))
    progress = Progress("cold", (rounds + 1) * len(field.present))
    for turn in range(rounds + 1):
        for contestant in in_turn(field.present, turn):
            run = runs[contestant.name] if turn else defaultdict(list)  # the first fills the system's caches
            try:
                start_once(contestant, field, photo, right, warm, run)
            except ServerFailed as reason:
                field.miss(contestant, reason)
            progress.step(contestant.title)
    return {
        "machine": about,
        "quick": options.quick,
        "photo": {"width": photo.size_wh[0], "height": photo.size_wh[1], "bytes": len(photo.data)},
        "contestants": {one.name: summarise(one, runs[one.name], field, options) for one in field.present},
        "absent": field.absent,
        "source_zipped_mb": sizes.source_zipped_mb(),
        "steps": steps(ours, photo, rounds),
    }


def steps(python: Path, photo: photos.Photo, rounds: int) -> dict[str, percentiles.Summary]:
    """Take a start of ours apart, once unmeasured and then so many times.

    returns: milliseconds by step, in their order
    """
    times_ms: dict[str, list[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        process = [str(python), "-m", "benchmarks.harness.startup_steps", str(photo.file), str(time.time())]
        done = subprocess.run(process, cwd=ROOT, check=True, capture_output=True, text=True)
        for name, ms in json.loads(done.stdout.splitlines()[-1]).items() if turn else ():
            times_ms[name].append(ms)
    return {name: percentiles.summary(ms) for name, ms in times_ms.items()}


def start_once(
    contestant: Contestant,
    field: Field,
    photo: photos.Photo,
    right: dict[str, bytes],
    warm: int,
    run: dict[str, list[float]],
) -> None:
    """Start a server, take its first mask, then its memory, then some more masks.

    raises: ServerFailed, WrongMask
    """
    wanted = right["model" if contestant.answers == "tensor" else "photo"]
    question = contestant.question(photo.data, photo.content_type)
    with serving(contestant, field.pythons[contestant.name]) as server:
        first, ms = server.first_reply(question)
        run["pss_mb"].append(server.pss_mb())
        replies = ask_in_a_row(server.port, question, warm)
    run["cold_ms"].append(ms)
    run["warm_ms"].extend(reply.ms for reply in replies)
    run["answer_bytes"].append(len(first.body))
    run["agreement"].extend(masks.check(contestant, reply.body, wanted) for reply in (first, *replies))


def summarise(contestant: Contestant, run: dict[str, list[float]], field: Field, options: Options) -> dict[str, Any]:
    """Give a contestant's medians and spread."""
    foreign = not options.install or (contestant.name == "older" and options.older_python)
    return {
        "title": contestant.title,
        "cold_ms": percentiles.summary(run["cold_ms"]),
        "warm_ms": percentiles.summary(run["warm_ms"]),
        "pss_mb": percentiles.summary(run["pss_mb"]),
        "answer_bytes": int(run["answer_bytes"][0]),
        "agreement": round(min(run["agreement"]), 5),
        "installed_mb": None if foreign else sizes.installed_mb(field.pythons[contestant.name]),
    }


if __name__ == "__main__":
    command.run("cold", measure)
