"""Storage events: parsing, filtering, and the names of the objects that a photo's event leads to. No I/O.

Eventarc posts CloudEvents in binary mode (attributes in headers, the object's metadata in the body) or in structured
mode (everything in the body): https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md

A bucket's own notification, which needs no Eventarc, arrives as a message that Pub/Sub pushes; its attributes name the
object: https://cloud.google.com/storage/docs/pubsub-notifications

All are parsed here, not by the `cloudevents` package that functions-framework imports: its `from_http` lets
RecursionError, UnicodeDecodeError and TypeError escape for malformed bodies, so it would save two lines only.

A mask's name is the photo's whole name with `.png` appended, so that a.jpg and a.png have separate masks; a note's
has `.error.json`. With several photo buckets, the name of the photo's bucket comes first, as a folder.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Literal, NamedTuple

from model.errors import BadEvent

FINALIZED = "google.cloud.storage.object.v1.finalized"
NOTIFICATION_TYPES = {"OBJECT_FINALIZE": FINALIZED}  # eventType of a bucket's notification -> type of a CloudEvent
STRUCTURED = "application/cloudevents+json"
MAX_EVENT_BYTES = 1 << 20
MAX_NAME_BYTES = 1024  # of an object: https://cloud.google.com/storage/docs/objects#naming
ArtifactType = Literal["mask", "note"]
SUFFIXES: dict[ArtifactType, str] = {"mask": ".png", "note": ".error.json"}


class BucketConfig(NamedTuple):
    """The buckets whose events are handled.

    Attributes:
        photo_buckets: Buckets of photos; empty if events are not handled.
        mask_bucket: Bucket for masks and notes.
    """

    photo_buckets: tuple[str, ...]
    mask_bucket: str


class Event(NamedTuple):
    """An event about one version of an object.

    Attributes:
        type: The CloudEvent's type, such as FINALIZED; of other notifications of a bucket, their own eventType.
        bucket: The object's bucket.
        name: The object's name.
        generation: The object's version; newer versions have higher numbers.
        size: The object's size in bytes, as the event states it; 0 if it does not.
    """

    type: str
    bucket: str
    name: str
    generation: int
    size: int


class Refusal(NamedTuple):
    """Why an event leads to no mask.

    Attributes:
        code: The reason as a code, for the X-Outcome header.
        reason: The reason in words, for the log.
    """

    code: str
    reason: str


def is_event(ce_type: str | None, media_type: str) -> bool:
    """Return whether a request carries an event, not a photo.

    Args:
        ce_type: The header `ce-type`; None if there is none.
        media_type: The body's media type in lower case, without parameters.
    """
    return ce_type is not None or media_type == STRUCTURED


def is_pubsub_message(media_type: str, body: bytes) -> bool:
    """Return whether a body is a message as Pub/Sub pushes it, such as a bucket's notification.

    Args:
        media_type: The body's media type in lower case, without parameters.
        body: The body.
    """
    if media_type != "application/json" or len(body) > MAX_EVENT_BYTES:
        return False
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.keys() >= {"message", "subscription"}


def parse(ce_type: str | None, media_type: str, body: bytes) -> Event:
    """Parse a CloudEvent in either mode, or a bucket's notification in a message of Pub/Sub.

    Args:
        ce_type: The header `ce-type`; None if there is none.
        media_type: The body's media type in lower case, without parameters.
        body: The body.

    Raises:
        BadEvent: If it is not an event about an object.
    """
    try:
        content = json.loads(body)
        if media_type != STRUCTURED:
            return _notification(content["message"]) if "message" in content else _event(ce_type, content)
        data = content["data"] if "data" in content else json.loads(base64.b64decode(content["data_base64"]))
        return _event(content["type"], data)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise BadEvent("not an event about an object in Cloud Storage") from error


def refusal(event: Event, buckets: BucketConfig) -> Refusal | None:
    """Return why an event leads to no mask; None if it is to be handled.

    Args:
        event: The event.
        buckets: The buckets whose events are handled.
    """
    if event.type != FINALIZED:
        return Refusal("other-type", f"the event's type is {event.type[:80]!r}")
    if event.bucket not in buckets.photo_buckets:
        return Refusal("other-bucket", "the bucket is not in PHOTO_BUCKETS")
    if event.name.endswith("/"):
        return Refusal("folder", "the object is a folder placeholder")
    if max(len(artifact_name(event, artifact, buckets).encode()) for artifact in SUFFIXES) > MAX_NAME_BYTES:
        return Refusal("name-too-long", f"the name of the mask would have more than {MAX_NAME_BYTES} bytes")
    return None


def name_templates(buckets: BucketConfig) -> dict[ArtifactType, str]:
    """Return the names of masks and notes as templates.

    Args:
        buckets: The buckets whose events are handled.

    Returns:
        For each type of artifact its name, with the placeholders {name} and, with several photo buckets, {bucket}.
    """
    folder = "{bucket}/" if len(buckets.photo_buckets) > 1 else ""
    return {artifact: f"{folder}{{name}}{suffix}" for artifact, suffix in SUFFIXES.items()}


def artifact_name(event: Event, artifact: ArtifactType, buckets: BucketConfig) -> str:
    """Return the name of the mask or note of an event's photo."""
    return name_templates(buckets)[artifact].replace("{bucket}", event.bucket).replace("{name}", event.name)


def _notification(message: Any) -> Event:
    """Return the event in a message of Pub/Sub. Its data, the object's metadata, may be left out."""
    attributes = message["attributes"]
    names = {"bucket": "bucketId", "name": "objectId", "generation": "objectGeneration"}
    data = json.loads(base64.b64decode(message.get("data") or "") or b"{}")
    event_type = attributes["eventType"]
    return _event(
        NOTIFICATION_TYPES.get(event_type, event_type),
        {"size": data.get("size", 0)} | {key: attributes[name] for key, name in names.items()},
    )


def _event(ce_type: Any, data: Any) -> Event:
    bucket, name, generation = data["bucket"], data["name"], int(data["generation"])
    if not (isinstance(ce_type, str) and isinstance(bucket, str) and isinstance(name, str)):
        raise TypeError("an attribute has a wrong type")
    if not name or generation <= 0:
        raise ValueError("the name is empty or the generation is not positive")
    name.encode()  # raises UnicodeEncodeError, a ValueError, for a lone surrogate
    return Event(ce_type, bucket, name, generation, int(data.get("size", 0)))
