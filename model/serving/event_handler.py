"""What an instance does with a storage event: read the photo, segment it, and write its mask or a note."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from model.errors import PhotoError, StorageFailed, code_of
from model.gcs import client, events, mask_store
from model.gcs.events import ArtifactType, BucketConfig, Event, Refusal
from model.gcs.mask_store import Artifact, MaskSlot, ModelId
from model.options import Options
from model.segmenter import Segmenter, Stopwatch
from model.serving import cloud_logging

OTHER: dict[ArtifactType, ArtifactType] = {"mask": "note", "note": "mask"}
MAX_ATTEMPTS = 8  # each starts after another instance has written the same object
FOREIGN_OBJECT = Refusal("not-ours", "the object at the mask's name was not made from it")


@dataclass(frozen=True)
class Outcome:
    """The result of an event.

    Attributes:
        outcome: "mask" or "note" if it was written; "present" if it, or one of a newer photo, was already there;
            "gone" if this version of the photo no longer exists; "refused" if the event leads to no mask.
        code: Code of the error for a note, of the reason for a refusal; empty otherwise.
        stages_ms: Duration of each stage in milliseconds.
    """

    outcome: str
    code: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)


def handle_event(event: Event, segmenter: Segmenter, buckets: BucketConfig, max_photo_bytes: int) -> Outcome:
    """Write the mask of an event's photo, or a note that states why there is none.

    Args:
        event: The event.
        segmenter: The model.
        buckets: The buckets of photos and masks.
        max_photo_bytes: Largest photo that is read.

    Returns:
        The outcome; another delivery of the event would not change it.

    Raises:
        InferenceFailed: If the model fails; another delivery may succeed.
        Busy: If there is no interpreter or memory for the photo now; another delivery may succeed.
        StorageFailed: If Cloud Storage fails; another delivery may succeed.
    """
    refusal = events.refusal(event, buckets)
    if refusal is None:
        try:
            return _reconcile(event, segmenter, buckets, max_photo_bytes)
        except mask_store.ForeignObject:
            refusal = FOREIGN_OBJECT
        except client.StorageError as error:
            cloud_logging.write("ERROR", f"Cloud Storage error: {error}")
            raise StorageFailed("Cloud Storage is temporarily unavailable; retry in a moment") from error
    cloud_logging.write("WARNING", f"no mask for gs://{event.bucket}/{event.name}: {refusal.reason}")
    return Outcome("refused", refusal.code)


def _reconcile(event: Event, segmenter: Segmenter, buckets: BucketConfig, max_photo_bytes: int) -> Outcome:
    """Read, segment and write until what is stored is at least as new as the event."""
    model = ModelId(segmenter.card.name, segmenter.card.version, segmenter.sha256)
    slot, watch = MaskSlot(event, model, buckets), Stopwatch()
    artifact: Artifact | None = None
    for _ in range(MAX_ATTEMPTS):
        existing = slot.read_existing()
        watch.mark("look")
        if slot.is_up_to_date(existing):
            slot.delete_stale(existing)
            return Outcome("present", stages_ms=watch.ms)
        artifact = artifact or _segment(event, segmenter, max_photo_bytes, watch)
        if artifact is None:
            slot.delete_stale(existing)
            return Outcome("gone", stages_ms=watch.ms)
        written = slot.write(artifact, existing)
        watch.mark("write")
        if written:
            if artifact.type == "note":
                cloud_logging.write("WARNING", f"wrote a note for gs://{event.bucket}/{event.name}: {artifact.code}")
            slot.delete_stale([written, *slot.read_existing(OTHER[artifact.type])])
            watch.mark("tidy")
            return Outcome(artifact.type, artifact.code, watch.ms)
    raise StorageFailed("other instances keep writing the same mask; retry in a moment")


def _segment(event: Event, segmenter: Segmenter, max_photo_bytes: int, watch: Stopwatch) -> Artifact | None:
    """Return the mask of a photo, or a note; None if this version of the photo no longer exists."""
    try:
        photo = mask_store.read_photo(event, max_photo_bytes)
        watch.mark("read")
        if photo is None:
            return None
        result = segmenter.segment(photo, Options.parse({}, segmenter.card))
    except PhotoError as error:
        return _note(event, segmenter, error)
    watch.merge(result.stages_ms)
    return Artifact("mask", result.body)


def _note(event: Event, segmenter: Segmenter, error: PhotoError) -> Artifact:
    """Return the note that states why a photo has no mask."""
    code = code_of(type(error).__name__)
    content = {
        "code": code,
        "detail": str(error),
        "bucket": event.bucket,
        "name": event.name,
        "generation": str(event.generation),
        "model": segmenter.card.name,
        "version": segmenter.card.version,
    }
    return Artifact("note", json.dumps(content, ensure_ascii=False, indent=2).encode(), code)
