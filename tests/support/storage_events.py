"""Storage events as Eventarc posts them, and the objects that the function writes."""

from __future__ import annotations

import json
from typing import Any

import httpx

from model.tflite.bundled import BUNDLED_MODEL
from model.tflite.card import read_member
from tests.support.gcs_emulator import GcsEmulator

MODEL_VERSION = json.loads(read_member(BUNDLED_MODEL, "silhouette.json") or "")["version"]
FINALIZED = "google.cloud.storage.object.v1.finalized"
SETTINGS = {"PHOTO_BUCKETS": "photos", "MASK_BUCKET": "masks", "MAX_UPLOAD_BYTES": "300000", "MAX_PIXELS": "400000"}


def event_data(name: str, generation: str, bucket: str = "photos", **fields: Any) -> dict[str, Any]:
    """Return the data of an event: an object's metadata, as far as the function reads it."""
    return {"kind": "storage#object", "bucket": bucket, "name": name, "generation": generation, "size": "999", **fields}


def post_event(function: httpx.Client, data: dict[str, Any], type: str = FINALIZED) -> httpx.Response:
    """Post an event in binary mode, and return the response.

    Args:
        function: A client whose base URL is the function's.
        data: The event's data.
        type: The event's type.
    """
    headers = {
        "ce-id": "1",
        "ce-specversion": "1.0",
        "ce-type": type,
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{data['bucket']}",
        "ce-subject": "objects/x",
        "Content-Type": "application/json",
    }
    return function.post("/", content=json.dumps(data), headers=headers)


def outcome(response: httpx.Response) -> str:
    """Return the outcome in the response to an event."""
    assert (response.status_code, response.content) == (204, b""), response.text
    return str(response.headers["x-outcome"])


def deliver(function: httpx.Client, data: dict[str, Any], type: str = FINALIZED) -> str:
    """Post an event, and return its outcome."""
    return outcome(post_event(function, data, type))


def stored_masks(gcs: GcsEmulator) -> dict[str, Any]:
    """Return the objects in the mask bucket by name."""
    return {blob.name: blob for blob in gcs.client().list_blobs("masks")}


def store_artifact(
    gcs: GcsEmulator, name: str, source_generation: int, version: str = MODEL_VERSION, text: str = "stored"
) -> int:
    """Store a mask or note as another instance of the function would.

    Args:
        gcs: The emulator.
        name: Name of the object.
        source_generation: Generation of the photo that it was made from.
        version: Version of the model that made it.
        text: Its content.

    Returns:
        The generation of the object.
    """
    blob = gcs.client().bucket("masks").blob(name)
    blob.metadata = {
        "source-bucket": "photos",
        "source-generation": str(source_generation),
        "model": "pets",
        "version": version,
    }
    blob.upload_from_string(text)
    return int(blob.generation)
