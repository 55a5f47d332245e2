from __future__ import annotations

import json

import pytest

from model.errors import BadEvent
from model.gcs import events
from model.gcs.events import BucketConfig, Event

ONE_BUCKET = BucketConfig(("photos",), "masks")
TWO_BUCKETS = BucketConfig(("photos", "more-photos"), "masks")
DATA = {"bucket": "photos", "name": "a.jpg", "generation": "5", "size": "7"}
EVENT = Event(events.FINALIZED, "photos", "a.jpg", 5, 7)


def test_both_modes_are_parsed() -> None:
    assert events.parse(events.FINALIZED, "application/json", json.dumps(DATA).encode()) == EVENT
    envelope = {"type": events.FINALIZED, "data": DATA}
    assert events.parse(None, events.STRUCTURED, json.dumps(envelope).encode()) == EVENT


@pytest.mark.parametrize(
    "change",
    [{"bucket": None}, {"name": ""}, {"name": "\ud800"}, {"generation": "0"}, {"generation": "x"}, {"size": "x"}],
)
def test_an_invalid_attribute_is_rejected(change: dict[str, object]) -> None:
    with pytest.raises(BadEvent):
        events.parse(events.FINALIZED, "application/json", json.dumps(DATA | change).encode())


def test_deeply_nested_json_is_rejected() -> None:
    with pytest.raises(BadEvent):
        events.parse(None, events.STRUCTURED, b"[" * 100_000)


def test_names_have_the_bucket_as_a_folder_if_there_are_several_photo_buckets() -> None:
    assert events.artifact_name(EVENT, "mask", ONE_BUCKET) == "a.jpg.png"
    assert events.artifact_name(EVENT, "note", TWO_BUCKETS) == "photos/a.jpg.error.json"
    assert events.name_templates(TWO_BUCKETS)["mask"] == "{bucket}/{name}.png"


def test_placeholders_in_the_name_of_a_photo_are_kept() -> None:
    event = Event(events.FINALIZED, "photos", "{bucket} {name}.jpg", 1, 1)
    assert events.artifact_name(event, "mask", TWO_BUCKETS) == "photos/{bucket} {name}.jpg.png"
