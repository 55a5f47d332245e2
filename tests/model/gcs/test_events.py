from __future__ import annotations

import base64
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


def notification(**changes: object) -> dict[str, object]:
    """Return a bucket's notification as Pub/Sub pushes it."""
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "bucketId": "photos",
        "objectId": "a.jpg",
        "objectGeneration": "5",
        "payloadFormat": "JSON_API_V1",
        "notificationConfig": "projects/_/buckets/photos/notificationConfigs/1",
    }
    message: dict[str, object] = {
        "attributes": attributes,
        "data": base64.b64encode(json.dumps(DATA).encode()).decode(),
        "messageId": "1",
    }
    return {"message": message | changes, "subscription": "projects/p/subscriptions/s"}


def parse_notification(content: dict[str, object]) -> Event:
    body = json.dumps(content).encode()
    assert events.is_pubsub_message("application/json", body)
    return events.parse(None, "application/json", body)


def test_a_buckets_own_notification_is_parsed() -> None:
    assert parse_notification(notification()) == EVENT


@pytest.mark.parametrize("data", [None, ""])
def test_a_notification_without_a_payload_is_parsed(data: str | None) -> None:
    assert parse_notification(notification(data=data)) == Event(events.FINALIZED, "photos", "a.jpg", 5, 0)


def test_a_notification_that_eventarc_wraps_in_an_event_of_pubsub_is_parsed() -> None:
    body = json.dumps(notification()).encode()
    assert events.parse("google.cloud.pubsub.topic.v1.messagePublished", "application/json", body) == EVENT


@pytest.mark.parametrize("event_type", ["OBJECT_DELETE", "OBJECT_METADATA_UPDATE", "OBJECT_ARCHIVE"])
def test_other_notifications_of_a_bucket_lead_to_no_mask(event_type: str) -> None:
    attributes = {"eventType": event_type, "bucketId": "photos", "objectId": "a.jpg", "objectGeneration": "5"}
    refusal = events.refusal(parse_notification(notification(attributes=attributes)), ONE_BUCKET)
    assert refusal is not None
    assert refusal.code == "other-type"


@pytest.mark.parametrize(
    "message",
    [
        {"attributes": None},
        {"attributes": {}},
        {"attributes": {"eventType": "OBJECT_FINALIZE"}},
        {"attributes": {"eventType": 1, "bucketId": "b", "objectId": "o", "objectGeneration": "1"}},
        {"attributes": {"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": "o", "objectGeneration": "x"}},
        {"data": "no base64"},
        {"data": base64.b64encode(b"[1]").decode()},
    ],
)
def test_a_message_that_is_no_notification_of_a_bucket_is_rejected(message: dict[str, object]) -> None:
    with pytest.raises(BadEvent):
        parse_notification(notification(**message))


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("image/jpeg", json.dumps(notification()).encode()),
        ("application/json", b'{"image": "AAAA"}'),
        ("application/json", b"[" * 100_000),
        ("application/json", b"\xff\xd8\xff"),
        ("application/json", b'{"message": {}, "subscription": "' + b"x" * events.MAX_EVENT_BYTES + b'"}'),
    ],
)
def test_other_bodies_are_no_messages(media_type: str, body: bytes) -> None:
    assert not events.is_pubsub_message(media_type, body)
