"""Runs a scenario: uploads, deliveries, kills, and the comparison at the end."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from typing import Any

from client import finalized_event
from tests.stress.bucket_chaos.delivery import Delivery, EventQueue
from tests.stress.bucket_chaos.fleet import Fleet
from tests.stress.bucket_chaos.scenario import MAX_PIXELS, MAX_UPLOAD_BYTES, Scenario, plan_uploads
from tests.stress.bucket_chaos.verify import MASK_BUCKET, expected_artifact, find_differences
from tests.support.gcs_emulator import GcsEmulator, run_emulator

PHOTO_BUCKET = "photos"
FAIL_EVERY = 50  # calls to Cloud Storage
MAX_DELAY_S, DUPLICATE_SHARE = 1.5, 0.2  # of events
MAX_PENDING_EVENTS = 60  # uploads pause while there are more


def run(scenario: Scenario) -> dict[str, Any]:
    """Run a scenario.

    Args:
        scenario: Its size.

    Returns:
        The figures as they go into benchmarks/results/proof.json; `wrong` describes each wrong object in the end.
    """
    uploads = plan_uploads(scenario)
    with run_emulator(PHOTO_BUCKET, MASK_BUCKET) as gcs:
        gcs.fail_every = FAIL_EVERY
        env = {
            "PHOTO_BUCKETS": PHOTO_BUCKET,
            "MASK_BUCKET": MASK_BUCKET,
            "STORAGE_EMULATOR_HOST": gcs.url,
            "MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES),
            "MAX_PIXELS": str(MAX_PIXELS),
        }
        with Fleet(scenario.processes, scenario.kill_every_s, env) as fleet:
            queue = EventQueue(fleet.urls, scenario.jobs, scenario.seed)
            start = time.perf_counter()
            newest, upload_ms = upload_and_deliver(gcs, queue, uploads)
            wall_s = time.perf_counter() - start
        expected = {name: expected_artifact(*version) for name, version in newest.items()}
        wrong = find_differences(gcs, expected)
    wrong += [f"{name} was written {count} times" for (name, _), count in queue.writes.items() if count > 1]
    return {
        "photos": scenario.photos,
        "versions": len(uploads),
        "replaced": sum(count > 1 for count in Counter(name for name, _ in uploads).values()),
        "unusable": sum(each.mask is None for each in expected.values()),
        "seed": scenario.seed,
        "processes": scenario.processes,
        "in_flight": scenario.jobs,
        "events_ahead": MAX_PENDING_EVENTS,
        "kill_every_s": scenario.kill_every_s,
        **figures(queue, fleet, gcs),
        "upload_ms": round(statistics.mean(upload_ms), 1),
        "wall_s": round(wall_s, 1),
        "photos_per_s": round(scenario.photos / wall_s, 2),
        "wrong": wrong,
    }


def upload_and_deliver(
    gcs: GcsEmulator, queue: EventQueue, uploads: list[tuple[str, bytes]]
) -> tuple[dict[str, tuple[str, bytes]], list[float]]:
    """Upload all photos, and deliver their events until each is accepted.

    Args:
        gcs: The emulator.
        queue: The queue of events.
        uploads: Names and contents in order.

    Returns:
        For each name its newest generation and content; the duration of each upload in milliseconds.
    """
    bucket = gcs.client().bucket(PHOTO_BUCKET)
    newest: dict[str, tuple[str, bytes]] = {}
    upload_ms = []
    with queue.delivering():
        for name, data in uploads:
            start = time.perf_counter()
            blob = bucket.blob(name)
            blob.upload_from_string(data)
            newest[name] = str(blob.generation), data
            upload_ms.append((time.perf_counter() - start) * 1000)
            event = finalized_event(PHOTO_BUCKET, name, blob.generation, len(data))
            queue.publish(event, MAX_DELAY_S, DUPLICATE_SHARE)
            queue.wait_until_pending(MAX_PENDING_EVENTS)
        queue.wait_until_pending(0)
    return newest, upload_ms


def figures(queue: EventQueue, fleet: Fleet, gcs: GcsEmulator) -> dict[str, Any]:
    """Return the measurements, as benchmarks/scale reads them; durations are in milliseconds."""
    accepted = [delivery for delivery in queue.deliveries if delivery.status == 204]
    statuses = Counter(str(delivery.status) for delivery in queue.deliveries)
    return {
        "events": queue.events,
        "duplicates": queue.duplicates,
        "deliveries": len(queue.deliveries),
        "redeliveries": len(queue.deliveries) - queue.events - queue.duplicates,
        "statuses": dict(sorted(statuses.items())),
        "outcomes": dict(sorted(Counter(delivery.outcome for delivery in accepted).items())),
        "kills": fleet.kills,
        "start_ms": distribution(fleet.starts_ms),
        "storage_calls": gcs.calls,
        "storage_failures": gcs.failed_calls,
        "storage_call_ms": {call: distribution(durations) for call, durations in gcs.calls_ms.items()},
        "service_ms": {
            outcome: distribution([delivery.ms for delivery in accepted if delivery.outcome_name == outcome])
            for outcome in ("mask", "note", "present", "gone")
        },
        "stages_ms": mean_stages([delivery for delivery in accepted if delivery.outcome == "mask"]),
    }


def mean_stages(deliveries: list[Delivery]) -> dict[str, float]:
    """Return the mean duration of each stage."""
    stages = dict.fromkeys(stage for delivery in deliveries for stage in delivery.stages_ms)
    return {
        stage: round(statistics.fmean(delivery.stages_ms.get(stage, 0) for delivery in deliveries), 2)
        for stage in stages
    }


def distribution(values: list[float]) -> dict[str, Any]:
    """Return count, mean and 21 equidistant quantiles, from the minimum to the maximum."""
    if not values:
        return {"count": 0}
    ordered = sorted(values)
    quantiles = [round(ordered[round(part / 20 * (len(ordered) - 1))], 2) for part in range(21)]
    return {"count": len(values), "mean": round(statistics.fmean(values), 2), "quantiles": quantiles}
