"""The backfill command: storage events for the photos of a bucket that have no mask yet.

The photos themselves are not downloaded.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from ..client import Client
from ..errors import ClientError
from ..storage_event import EventReceipt, finalized_event
from .arguments import CliOptions, make_client
from .batch import report_no_photos, run_jobs
from .batch_state import BatchState
from .bucket_listing import list_objects, parse_gs_uri
from .job import Outcome, outcome_of
from .terminal import escape


@dataclass(frozen=True, slots=True)
class BucketJob:
    """A photo in a bucket.

    Attributes:
        bucket: Name of the photo bucket.
        key: Name of the photo's object.
        generation: Generation number of the photo's object.
        size: Size of the photo in bytes.
        mask_bucket: Name of the mask bucket.
        mask_name: Template of the mask's object name, with {bucket} and {name}.
        is_done: Whether a current mask or error file exists.
    """

    bucket: str
    key: str
    generation: int
    size: int
    mask_bucket: str
    mask_name: str
    is_done: bool

    @property
    def name(self) -> str:
        """The photo's URI."""
        return f"gs://{self.bucket}/{self.key}"

    @property
    def destination(self) -> str:
        """The mask's URI."""
        return f"gs://{self.mask_bucket}/{_fill(self.mask_name, self.bucket, self.key)}"


def run_backfill(options: CliOptions) -> int:
    """Deliver an event for each photo that has no mask of the function's current model.

    Args:
        options: The options of the command line.

    Returns:
        The exit code.

    Raises:
        ClientError: If the function accepts no events, a bucket cannot be listed, or the log cannot be written.
    """
    with make_client(options) as client:
        model = client.model()
    if not model.get("events"):
        raise ClientError("this function does not accept storage events; set PHOTO_BUCKETS and MASK_BUCKET")
    if not options.quiet:
        print(escape(f"listing {options.sources[0]} and {options.masks}"), file=sys.stderr, flush=True)
    jobs = plan_backfill(options, model)
    if not jobs:
        return report_no_photos(options)
    return run_jobs(BatchState(options, len(jobs)), jobs, _deliver)


def plan_backfill(options: CliOptions, model: dict[str, Any]) -> list[BucketJob]:
    """List the photos, and mark those that have a mask or error file of the same generation by the same model.

    Args:
        options: The options of the command line.
        model: The function's description of its model.

    Returns:
        The jobs, in order of the photos' names.

    Raises:
        ClientError: If a bucket cannot be listed.
    """
    bucket, prefix = parse_gs_uri(options.sources[0])
    mask_bucket, _ = parse_gs_uri(options.masks or "")
    done = _done_generations(mask_bucket, bucket, prefix, model)
    return [
        BucketJob(
            bucket,
            photo.name,
            photo.generation,
            photo.size,
            mask_bucket,
            model["events"]["mask"],
            is_done=done.get(photo.name, 0) >= photo.generation,
        )
        for photo in list_objects(bucket, prefix)
        if not photo.name.endswith("/")  # a folder's placeholder
    ]


def _done_generations(mask_bucket: str, bucket: str, prefix: str, model: dict[str, Any]) -> dict[str, int]:
    """Return, by photo name, the latest generation that the model has processed."""
    # What precedes and what follows the photo's name in the names of its mask and its error file.
    affixes = [_fill(template, bucket, "\0").split("\0") for template in model["events"].values()]
    expected = {
        "model": model["name"],
        "version": model["version"],
        "sha256": model["sha256"],
        "source-bucket": bucket,
    }
    done: dict[str, int] = {}
    for written in list_objects(mask_bucket, affixes[0][0] + prefix):
        if not expected.items() <= written.metadata.items():
            continue
        for before, after in affixes:
            if written.name.endswith(after):
                photo = written.name[len(before) : -len(after)]
                done[photo] = max(done.get(photo, 0), int(written.metadata["source-generation"]))
    return done


def _fill(template: str, bucket: str, name: str) -> str:
    """Fill a photo's bucket and name into the function's template of an object name."""
    return template.replace("{bucket}", bucket).replace("{name}", name)


def _deliver(job: BucketJob, client: Client) -> Outcome:
    """Deliver the event of a photo; skip one that is done, or was replaced or deleted since the listing."""
    if job.is_done:
        return Outcome(job, "skipped")
    event = finalized_event(job.bucket, job.key, job.generation, job.size)
    outcome = outcome_of(job, lambda: client.deliver(event))
    is_gone = isinstance(outcome.response, EventReceipt) and outcome.response.outcome == "gone"
    return Outcome(job, "skipped") if is_gone else outcome
