"""The command about a bucket: events for the photos that have no mask yet. Their bytes never come here."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from client.cli.arguments import Options, make_client
from client.cli.batch import lead, nothing_found
from client.cli.batch_state import Run
from client.cli.bucket_listing import list_objects, split
from client.cli.task import Outcome, outcome_of
from client.client import Client
from client.errors import ClientError
from client.storage_event import finalized


@dataclass(frozen=True, slots=True)
class Photo:
    """Hold one version of a photo in a bucket, and where its mask goes; size in bytes."""

    bucket: str
    key: str
    generation: int
    size: int
    masks: str
    place: str
    is_done: bool

    @property
    def name(self) -> str:
        return f"gs://{self.bucket}/{self.key}"

    @property
    def result(self) -> str:
        return f"gs://{self.masks}/{fill(self.place, self.bucket, self.key)}"


def run_backfill(options: Options) -> int:
    """Send events for all photos that have no mask of the function's model; give back the exit code.

    raises: ClientError
    """
    with make_client(options) as client:
        about = client.model()
    if not about.get("events"):
        raise ClientError("this function takes no events of buckets (PHOTO_BUCKETS and MASK_BUCKET are not set)")
    if not options.quiet:
        print(f"listing {options.sources[0]} and {options.masks}", file=sys.stderr, flush=True)
    photos = plan_backfill(options, about)
    if not photos:
        return nothing_found(options)
    return lead(Run(options, len(photos)), photos, lambda photo: photo.is_done, send)


def plan_backfill(options: Options, about: dict[str, Any]) -> list[Photo]:
    """List the photos, and tell which are done: with a mask, or a note, of this version of theirs by this model.

    about: what the function says about its model
    raises: ClientError
    """
    bucket, prefix = split(options.sources[0])
    masks, _ = split(options.masks or "")
    done = done_generations(masks, bucket, prefix, about)
    return [
        Photo(bucket, each.name, each.generation, each.size, masks, about["events"]["mask"], is_done)
        for each in list_objects(bucket, prefix)
        if not each.name.endswith("/")  # a folder's placeholder
        for is_done in [done.get(each.name, 0) >= each.generation]
    ]


def done_generations(masks: str, bucket: str, prefix: str, about: dict[str, Any]) -> dict[str, int]:
    """Find which version of each photo this model has done.

    raises: ClientError
    """
    places = [fill(place, bucket, "\0").split("\0") for place in about["events"].values()]
    model = {"model": about["name"], "version": about["version"], "sha256": about["sha256"], "source-bucket": bucket}
    done: dict[str, int] = {}
    for each in list_objects(masks, places[0][0] + prefix):
        if model.items() <= each.metadata.items():
            for before, after in places:
                if each.name.endswith(after):
                    name = each.name[len(before) : -len(after)]
                    done[name] = max(done.get(name, 0), int(each.metadata["source-generation"]))
    return done


def fill(place: str, bucket: str, name: str) -> str:
    """Fill a photo into what the function says of where masks go."""
    return place.replace("{bucket}", bucket).replace("{name}", name)


def send(photo: Photo, client: Client) -> Outcome:
    """Deliver the event of a photo; one that was replaced or removed meanwhile is skipped."""
    event = finalized(photo.bucket, photo.key, photo.generation, photo.size)
    outcome = outcome_of(photo, lambda: client.deliver(event))
    gone = outcome.answer is not None and outcome.answer.outcome == "gone"
    return Outcome(photo, "skipped") if gone else outcome
