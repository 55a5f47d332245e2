"""What happens to the bucket, and what must be there in the end."""

from __future__ import annotations

import io
import json
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from client import finalized_event
from model.errors import PhotoError, code_of
from model.options import Options
from model.segmenter import Segmenter
from model.serving.settings import Settings
from tests.support import gcs_emulator

from .fleet import Fleet
from .post import Delivery, Post

PHOTOS, MASKS = "photos", "masks"
LIMITS = {"max_upload_bytes": 60_000, "max_pixels": 90_000}
FAIL_EVERY = 50  # calls to Cloud Storage
LATEST_S, TWICE = 1.5, 0.2  # of an event
UNUSABLE, REPLACED = 0.1, 0.15  # shares of the photos
AHEAD = 60  # events that are on their way before more photos come


@dataclass(frozen=True)
class Play:
    """Hold how large it is."""

    photos: int
    processes: int = 3
    jobs: int = 8
    kill_every_s: float = 4.0
    seed: int = 1


def photo(rng: random.Random) -> bytes:
    """Draw a small photo, or now and then something that is none or breaks a limit."""
    size_wh = rng.randint(60, 200), rng.randint(60, 200)
    if rng.random() < UNUSABLE:
        odd = [b"", b"some text", drawn(rng, size_wh)[:-400], bytes(60_001), drawn(rng, (400, 300))]
        return rng.choice(odd)
    return drawn(rng, size_wh)


def drawn(rng: random.Random, size_wh: tuple[int, int]) -> bytes:
    """Draw circles in the colours of animals, as JPEG."""
    image = Image.new("RGB", size_wh, tuple(rng.randint(90, 220) for _ in range(3)))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, r = rng.randint(0, size_wh[0]), rng.randint(0, size_wh[1]), rng.randint(5, 50)
        pen.ellipse((x - r, y - r, x + r, y + r), tuple(rng.randint(0, 255) for _ in range(3)))
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()


def uploads(play: Play) -> list[tuple[str, bytes]]:
    """Make what comes to the bucket, in order; names that come again are newer versions."""
    rng = random.Random(play.seed)
    endings = (".jpg", ".png", "", ".jpg.png")  # of the same name: their masks must not meet
    names = [f"{number // 4 % 7}/ü #{number // 4}{endings[number % 4]}" for number in range(play.photos)]
    again = [name for name in names if rng.random() < REPLACED] + [
        name for name in names if rng.random() < REPLACED / 3
    ]
    all_names = names + again
    rng.shuffle(all_names)
    return [(name, photo(rng)) for name in all_names]


def run(play: Play) -> dict[str, Any]:
    """Play it all, and give the figures; what is wrong in the end is in `wrong`."""
    coming = uploads(play)
    with gcs_emulator.run_emulator(PHOTOS, MASKS) as bucket:
        bucket.fail_every = FAIL_EVERY
        env = {"PHOTO_BUCKETS": PHOTOS, "MASK_BUCKET": MASKS, "STORAGE_EMULATOR_HOST": bucket.url}
        env |= {name.upper(): str(value) for name, value in LIMITS.items()}
        with Fleet(play.processes, play.kill_every_s, env) as fleet:
            post = Post(fleet.urls, play.jobs, play.seed)
            began = time.perf_counter()
            brought, upload_ms = upload_and_deliver(bucket, post, coming)
            wall_s = time.perf_counter() - began
        segmenter = Segmenter(Settings(**LIMITS))
        newest = {name: (generation, right(segmenter, data)) for name, (generation, data) in brought.items()}
        wrong = differences(bucket, newest)
    wrong += [f"{name} was written {times} times" for (name, _), times in post.made.items() if times > 1]
    versions = Counter(name for name, _ in coming)
    return {
        "photos": play.photos,
        "versions": len(coming),
        "replaced": sum(times > 1 for times in versions.values()),
        "unusable": sum(isinstance(expected, str) for _, expected in newest.values()),
        "seed": play.seed,
        "processes": play.processes,
        "in_flight": play.jobs,
        "events_ahead": AHEAD,
        "kill_every_s": play.kill_every_s,
        **figures(post, fleet, bucket),
        "upload_ms": round(statistics.mean(upload_ms), 1),
        "wall_s": round(wall_s, 1),
        "photos_per_s": round(play.photos / wall_s, 2),
        "wrong": wrong,
    }


Newest = dict[str, tuple[str, "bytes | str"]]


def upload_and_deliver(
    bucket: gcs_emulator.GcsEmulator, post: Post, coming: list[tuple[str, bytes]]
) -> tuple[dict[str, tuple[str, bytes]], list[float]]:
    """Bring the photos and deliver their events until all are taken.

    returns: of each name its newest generation and photo; the milliseconds that each took to bring
    """
    client = bucket.client().bucket(PHOTOS)
    brought: dict[str, tuple[str, bytes]] = {}
    upload_ms = []
    with post.run():
        try:
            for name, data in coming:
                began = time.perf_counter()
                blob = client.blob(name)
                blob.upload_from_string(data)
                brought[name] = str(blob.generation), data
                upload_ms.append((time.perf_counter() - began) * 1000)
                post.publish(finalized_event(PHOTOS, name, blob.generation, len(data)), LATEST_S, TWICE)
                post.wait_until_left(AHEAD)
            post.wait_until_left(0)
        finally:
            post.close()
    return brought, upload_ms


def right(segmenter: Segmenter, data: bytes) -> bytes | str:
    """Make the mask of a photo here, or the code of its note."""
    if len(data) > LIMITS["max_upload_bytes"]:
        return "photo-too-large"
    try:
        return segmenter.segment(data, Options.parse({}, segmenter.card)).body
    except PhotoError as error:
        return code_of(type(error).__name__)


def differences(bucket: gcs_emulator.GcsEmulator, newest: Newest) -> list[str]:
    """Compare what is in the bucket of masks with what must be, and say in words what differs."""
    there = {blob.name: blob for blob in bucket.client().list_blobs(MASKS)}
    wrong = []
    for name, (generation, expected) in newest.items():
        place = f"{name}.error.json" if isinstance(expected, str) else f"{name}.png"
        blob = there.pop(place, None)
        if blob is None:
            wrong.append(f"{place} is missing")
            continue
        body = blob.download_as_bytes()
        if (blob.metadata or {}).get("source-generation") != generation:
            wrong.append(f"{place} is of another version of the photo")
        elif blob.content_type != ("application/json" if isinstance(expected, str) else "image/png"):
            wrong.append(f"{place} is called {blob.content_type}")
        elif (json.loads(body)["code"] if isinstance(expected, str) else body) != expected:
            wrong.append(f"{place} is not what the photo comes to")
    return wrong + [f"{name} should not be there" for name in there]


def figures(post: Post, fleet: Fleet, bucket: gcs_emulator.GcsEmulator) -> dict[str, Any]:
    """Put into numbers what happened, as benchmarks/scale takes them; times in milliseconds."""
    taken = [each for each in post.deliveries if each.status == 204]
    return {
        "events": post.events,
        "duplicates": post.duplicates,
        "deliveries": len(post.deliveries),
        "redeliveries": len(post.deliveries) - post.events - post.duplicates,
        "statuses": dict(sorted(Counter(str(each.status) for each in post.deliveries).items())),
        "outcomes": dict(sorted(Counter(each.outcome for each in taken).items())),
        "kills": fleet.kills,
        "start_ms": spread(fleet.starts_ms),
        "storage_calls": bucket.calls,
        "storage_failures": bucket.failed_calls,
        "storage_call_ms": {kind: spread(values) for kind, values in bucket.calls_ms.items()},
        "service_ms": {kind: spread(times(taken, kind)) for kind in ("mask", "note", "present", "gone")},
        "stages_ms": stages([each for each in taken if each.outcome == "mask"]),
    }


def times(taken: list[Delivery], kind: str) -> list[float]:
    return [each.ms for each in taken if each.outcome.partition(";")[0] == kind]


def stages(masks: list[Delivery]) -> dict[str, float]:
    """Give the mean of each stage."""
    names = dict.fromkeys(name for each in masks for name in each.stages_ms)
    return {name: round(statistics.fmean(each.stages_ms.get(name, 0) for each in masks), 2) for name in names}


def spread(values: list[float]) -> dict[str, Any]:
    """Give number, mean and 21 quantiles, from the least to the largest, to draw times from."""
    if not values:
        return {"count": 0}
    ordered = sorted(values)
    quantiles = [round(ordered[round(part / 20 * (len(ordered) - 1))], 2) for part in range(21)]
    return {"count": len(values), "mean": round(statistics.fmean(values), 2), "quantiles": quantiles}
