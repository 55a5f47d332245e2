"""Storage events: what the function accepts, refuses and writes."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.function_process import serving
from tests.support.gcs_emulator import GcsEmulator
from tests.support.images import solid_image
from tests.support.paths import ROOT
from tests.support.storage_events import (
    FINALIZED,
    MODEL_VERSION,
    SETTINGS,
    deliver,
    event_data,
    outcome,
    post_event,
    stored_masks,
)

UNUSABLE = {
    "not-a-photo": b"some text",
    "broken-photo": solid_image("red")[:300],
    "empty-body": b"",
    "photo-too-large": bytes(300_001),
    "photo-too-large by its pixels": solid_image("red", (800, 600), "PNG"),
}


def to_base64(data: Any) -> str:
    return base64.b64encode(json.dumps(data).encode()).decode()


def test_an_uploaded_photo_gets_the_mask_that_a_request_returns(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes
) -> None:
    generation = gcs.put("deep/cat ü#?.jpg", sample, "photos")
    response = post_event(event_function, event_data("deep/cat ü#?.jpg", generation))
    assert outcome(response) == "mask"
    assert {"look", "read", "infer", "write"} <= {
        part.partition(";")[0] for part in response.headers["server-timing"].split(", ")
    }
    [mask] = stored_masks(gcs).values()
    assert (mask.name, mask.content_type) == ("deep/cat ü#?.jpg.png", "image/png")
    assert mask.download_as_bytes() == event_function.post("/", content=sample).content
    description = event_function.get("/").json()
    made_by = {
        name: description[key] for name, key in (("model", "name"), ("version", "version"), ("sha256", "sha256"))
    }
    assert mask.metadata == made_by | {"source-bucket": "photos", "source-generation": generation}
    assert description["events"] == {"mask": "{name}.png", "note": "{name}.error.json"}


@pytest.mark.parametrize("payload", [True, False])
def test_a_buckets_own_notification_pushed_by_pubsub_is_accepted(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes, payload: bool
) -> None:
    generation = gcs.put("a.jpg", sample, "photos")
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "bucketId": "photos",
        "objectId": "a.jpg",
        "objectGeneration": generation,
    }
    message = {"attributes": attributes, "messageId": "1"}
    if payload:
        message["data"] = to_base64(event_data("a.jpg", generation))
    push = {"message": message, "subscription": "projects/p/subscriptions/s"}
    assert outcome(event_function.post("/?token=secret", json=push)) == "mask"
    assert outcome(event_function.post("/", json=push)) == "present"
    assert list(stored_masks(gcs)) == ["a.jpg.png"]
    attributes["eventType"] = "OBJECT_DELETE"
    assert outcome(event_function.post("/", json=push)) == "refused; code=other-type"


def test_a_message_of_pubsub_that_is_no_notification_is_rejected(event_function: httpx.Client) -> None:
    response = event_function.post("/", json={"message": {"data": ""}, "subscription": "s"})
    assert (response.status_code, response.json()["code"]) == (400, "bad-event")


@pytest.mark.parametrize("wrap", [lambda data: {"data": data}, lambda data: {"data_base64": to_base64(data)}])
def test_events_in_structured_mode_are_accepted(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes, wrap: Callable[[Any], dict[str, Any]]
) -> None:
    generation = gcs.put("a.jpg", sample, "photos")
    envelope = {"specversion": "1.0", "id": "1", "type": FINALIZED, "source": "//storage.googleapis.com/x"}
    body = json.dumps(envelope | wrap(event_data("a.jpg", generation)))
    response = event_function.post(
        "/", content=body, headers={"Content-Type": "application/cloudevents+json; charset=utf-8"}
    )
    assert outcome(response) == "mask"
    assert stored_masks(gcs).keys() == {"a.jpg.png"}


def test_photos_that_differ_only_in_their_suffix_have_separate_masks(
    gcs: GcsEmulator, event_function: httpx.Client
) -> None:
    for name in ("a", "a.jpg", "a.png", "a.jpg.png"):
        assert deliver(event_function, event_data(name, gcs.put(name, solid_image("red"), "photos"))) == "mask"
    assert stored_masks(gcs).keys() == {"a.png", "a.jpg.png", "a.png.png", "a.jpg.png.png"}


def test_a_photo_stored_with_gzip_encoding_is_decompressed(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes
) -> None:
    blob = gcs.client().bucket("photos").blob("a.jpg")
    blob.content_encoding = "gzip"
    blob.upload_from_string(gzip.compress(sample), content_type="image/jpeg")
    assert deliver(event_function, event_data("a.jpg", str(blob.generation))) == "mask"
    bomb = gcs.client().bucket("photos").blob("b.jpg")
    bomb.content_encoding = "gzip"
    bomb.upload_from_string(gzip.compress(bytes(30_000_000)), content_type="image/jpeg")
    assert deliver(event_function, event_data("b.jpg", str(bomb.generation))) == "note; code=photo-too-large"


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_photo_gets_a_note_that_states_the_error(
    gcs: GcsEmulator, event_function: httpx.Client, name: str
) -> None:
    code, data = name.partition(" ")[0], UNUSABLE[name]
    generation = gcs.put("a.jpg", data, "photos")
    event = event_data("a.jpg", generation, size=str(len(data)))
    assert deliver(event_function, event) == f"note; code={code}"
    [note] = stored_masks(gcs).values()
    assert (note.name, note.content_type) == ("a.jpg.error.json", "application/json")
    content = json.loads(note.download_as_bytes())
    assert content.pop("detail")
    assert content == {
        "code": code,
        "bucket": "photos",
        "name": "a.jpg",
        "generation": generation,
        "model": "pets",
        "version": MODEL_VERSION,
    }
    assert note.metadata["source-generation"] == generation
    assert deliver(event_function, event) == "present"
    assert stored_masks(gcs)["a.jpg.error.json"].generation == note.generation


def test_the_size_in_an_event_is_not_trusted(gcs: GcsEmulator, event_function: httpx.Client, sample: bytes) -> None:
    generation = gcs.put("a.jpg", sample, "photos")
    assert deliver(event_function, event_data("a.jpg", generation, size="999999999")) == "mask"
    generation = gcs.put("b.jpg", bytes(300_001), "photos")
    assert deliver(event_function, event_data("b.jpg", generation, size="3")) == "note; code=photo-too-large"
    assert deliver(event_function, event_data("c.jpg", "9" * 18, size="999999999")) == "gone"


@pytest.mark.parametrize(
    ("data", "type", "code"),
    [
        (event_data("a.jpg", "1", bucket="others"), FINALIZED, "other-bucket"),
        (event_data("a.jpg.png", "1", bucket="masks"), FINALIZED, "other-bucket"),
        (event_data("a.jpg", "1"), FINALIZED.replace("finalized", "deleted"), "other-type"),
        (event_data("folder/", "1"), FINALIZED, "folder"),
        (event_data("ü" * 510, "1"), FINALIZED, "name-too-long"),
    ],
)
def test_an_event_that_leads_to_no_mask_is_refused_and_not_retried(
    gcs: GcsEmulator, event_function: httpx.Client, data: dict[str, Any], type: str, code: str
) -> None:
    assert deliver(event_function, data, type) == f"refused; code={code}"
    assert stored_masks(gcs) == {}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"bucket": "photos"}', b'{"bucket": "photos", "name": 1, "generation": "1"}']
)
def test_a_malformed_event_is_rejected(event_function: httpx.Client, body: bytes) -> None:
    for headers in ({"ce-type": FINALIZED}, {"Content-Type": "application/cloudevents+json"}):
        response = event_function.post("/", content=body, headers=headers)
        assert (response.status_code, response.json()["code"]) == (400, "bad-event")


def test_a_function_that_handles_events_still_answers_photos(event_function: httpx.Client, sample: bytes) -> None:
    assert event_function.post("/", content=sample).status_code == 200


def test_several_photo_buckets_have_separate_folders_and_a_note_is_logged_once(
    gcs: GcsEmulator, sample: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    two_buckets = SETTINGS | {"PHOTO_BUCKETS": "photos, more-photos", "STORAGE_EMULATOR_HOST": gcs.url}
    with serving(**two_buckets) as url, httpx.Client(base_url=url, timeout=60) as function:
        for name in ("photos", "more-photos"):
            assert deliver(function, event_data("a.jpg", gcs.put("a.jpg", sample, name), name)) == "mask"
        event = event_data("b.jpg", gcs.put("b.jpg", b"secret words", "photos"))
        for _ in range(2):
            deliver(function, event)
    assert stored_masks(gcs).keys() == {"photos/a.jpg.png", "more-photos/a.jpg.png", "photos/b.jpg.error.json"}
    logged = [
        json.loads(line)
        for line in capfd.readouterr().err.splitlines()
        if line.startswith("{") and "httpRequest" not in line
    ]
    assert [line["message"] for line in logged] == ["wrote a note for gs://photos/b.jpg: not-a-photo"]


def test_events_get_503_until_the_model_can_be_downloaded(gcs: GcsEmulator, sample: bytes) -> None:
    settings = SETTINGS | {"MODEL_URI": "gs://models/none.tflite", "STORAGE_EMULATOR_HOST": gcs.url}
    with serving(**settings) as url, httpx.Client(base_url=url, timeout=60) as function:
        response = post_event(function, event_data("a.jpg", gcs.put("a.jpg", sample, "photos")))
        assert (response.status_code, response.json()["code"]) == (503, "model-not-found")


def test_an_event_without_configured_buckets_is_not_a_photo(http: httpx.Client) -> None:
    response = post_event(http, event_data("a.jpg", "1"))
    assert (response.status_code, response.json()["code"]) == (400, "empty-body")
    assert http.get("/").json()["events"] is None


def test_an_invalid_bucket_configuration_stops_the_start() -> None:
    code = "from functions_framework import create_app; create_app('run', 'main.py')"
    env = {**os.environ, "PHOTO_BUCKETS": "photos", "MASK_BUCKET": "photos"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "MASK_BUCKET must not be one of PHOTO_BUCKETS" in done.stderr
