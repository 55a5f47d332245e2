"""Storage events, from the request that carries one to the photo it is about: pure functions.

Eventarc posts CloudEvents in binary mode (attributes in headers, the object in the body) or structured mode (all in
the body). Which photo has which mask is decided here too:

A mask's name is the photo's whole name with `.png` appended, so that a.jpg and a.png have masks of their own; a note's
has `.error.json`. Where there are several buckets of photos, the bucket's name comes first, as a folder.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from model.errors import BadEvent
from model.serving.settings import Settings

FINALIZED = "google.cloud.storage.object.v1.finalized"
STRUCTURED = "application/cloudevents+json"
LONGEST_BYTES = 1 << 20  # of an event
LONGEST_NAME_BYTES = 1024  # of an object, as Cloud Storage has it
Kind = Literal["mask", "note"]
ENDINGS: dict[Kind, str] = {"mask": ".png", "note": ".error.json"}


@dataclass(frozen=True)
class Event:
    """What an event says.

    kind: type of the event
    bucket, name, generation: of the object; a generation is one version, and newer ones have higher numbers
    size: bytes, as the event has it
    """

    kind: str
    bucket: str
    name: str
    generation: int
    size: int


def is_event(headers: Mapping[str, str]) -> bool:
    """Tell an event from a photo that is uploaded.

    headers: by names in small letters
    """
    return "ce-type" in headers or _media_type(headers) == STRUCTURED


def read(headers: Mapping[str, str], body: bytes) -> Event:
    """Read an event of either mode.

    headers: by names in small letters
    raises: BadEvent
    """
    try:
        said = json.loads(body)
        if _media_type(headers) != STRUCTURED:
            return _event(headers["ce-type"], said)
        data = said["data"] if "data" in said else json.loads(base64.b64decode(said["data_base64"]))
        return _event(said["type"], data)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, binascii.Error) as error:
        raise BadEvent("the event is no CloudEvent about an object in Cloud Storage") from error


def refusal(event: Event, settings: Settings) -> tuple[str, str] | None:
    """Tell why nothing is made of an event, as a code and in words; None where it is taken."""
    if event.kind != FINALIZED:
        return "other-type", f"its type is {event.kind[:80]!r}"
    if event.bucket not in settings.photo_buckets:
        return "other-bucket", "its bucket is none of PHOTO_BUCKETS"
    if event.name.endswith("/"):
        return "folder", "it is a folder's placeholder"
    if max(len(name(event, kind, settings).encode()) for kind in ENDINGS) > LONGEST_NAME_BYTES:
        return "name-too-long", "the name of its mask would be too long"
    return None


def places(settings: Settings) -> dict[Kind, str]:
    """Say where masks and notes go, with {name} and, where there are several buckets of photos, {bucket} to fill in."""
    folder = "{bucket}/" if len(settings.photo_buckets) > 1 else ""
    return {kind: f"{folder}{{name}}{ending}" for kind, ending in ENDINGS.items()}


def name(event: Event, kind: Kind, settings: Settings) -> str:
    """Name the mask or the note of a photo."""
    return places(settings)[kind].replace("{bucket}", event.bucket).replace("{name}", event.name)


def _event(kind: str, data: Any) -> Event:
    bucket, name, generation = data["bucket"], data["name"], int(data["generation"])
    if not (isinstance(kind, str) and isinstance(bucket, str) and isinstance(name, str) and name and generation > 0):
        raise ValueError
    name.encode()  # half of a surrogate pair is no name
    return Event(kind, bucket, name, generation, int(data.get("size", 0)))


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
