"""What must be in the mask bucket at the end, and the comparison with what is there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from model.errors import PhotoError, code_of
from tests.stress.bucket_chaos.scenario import MAX_PIXELS, MAX_UPLOAD_BYTES
from tests.support.gcs_emulator import GcsEmulator
from tests.support.local_segmenter import local_mask

MASK_BUCKET = "masks"


@dataclass(frozen=True)
class Expected:
    """What must be stored for a photo.

    Attributes:
        generation: Newest generation of the photo.
        mask: Its mask; None if the photo is unusable.
        code: The error code in its note; empty if there is a mask.
    """

    generation: str
    mask: bytes | None
    code: str = ""


def expected_artifact(generation: str, data: bytes) -> Expected:
    """Return what must be stored for a photo, computed in this process."""
    if len(data) > MAX_UPLOAD_BYTES:
        return Expected(generation, None, "photo-too-large")
    try:
        return Expected(generation, local_mask(data, MAX_PIXELS))
    except PhotoError as error:
        return Expected(generation, None, code_of(type(error).__name__))


def find_differences(gcs: GcsEmulator, photos: Mapping[str, Expected]) -> list[str]:
    """Return a description of each difference between the mask bucket and what must be there.

    Args:
        gcs: The emulator.
        photos: For each photo by name, what must be stored.
    """
    stored = {blob.name: blob for blob in gcs.client().list_blobs(MASK_BUCKET)}
    differences = []
    for photo, expected in photos.items():
        name = f"{photo}.error.json" if expected.mask is None else f"{photo}.png"
        media_type = "application/json" if expected.mask is None else "image/png"
        blob = stored.pop(name, None)
        if blob is None:
            differences.append(f"{name} is missing")
            continue
        body = blob.download_as_bytes()
        if (blob.metadata or {}).get("source-generation") != expected.generation:
            differences.append(f"{name} was made from another version of the photo")
        elif blob.content_type != media_type:
            differences.append(f"{name} has the content type {blob.content_type}")
        elif (json.loads(body)["code"] if expected.mask is None else body) != (expected.mask or expected.code):
            differences.append(f"{name} has the wrong content")
    return differences + [f"{name} should not exist" for name in stored]
