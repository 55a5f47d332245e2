"""Storage events to the real function, as Eventarc posts them; photos and masks in buckets on this machine."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from model.serving.settings import BUNDLED_MODEL
from model.tflite.card import read_member
from tests.support import gcs_emulator
from tests.support.function_process import Function, serving
from tests.support.gcs_emulator import Bucket
from tests.support.paths import ROOT

VERSION = json.loads(read_member(BUNDLED_MODEL, "silhouette.json") or "")["version"]
FINALIZED = "google.cloud.storage.object.v1.finalized"
NOT_OURS = "what somebody keeps here"
SETTINGS = {"PHOTO_BUCKETS": "photos", "MASK_BUCKET": "masks", "MAX_UPLOAD_BYTES": "300000", "MAX_PIXELS": "400000"}


def drawn(colour: str, size_wh: tuple[int, int] = (60, 40), kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size_wh, colour).save(file, kind)
    return file.getvalue()


UNUSABLE = {
    "not-a-photo": b"some text",
    "broken-photo": drawn("red")[:300],
    "empty-body": b"",
    "photo-too-large": bytes(300_001),
    "photo-too-large by its pixels": drawn("red", (800, 600), "PNG"),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Bucket]:
    with gcs_emulator.running("photos", "masks", "more-photos") as bucket:
        yield bucket


@pytest.fixture(scope="module")
def function(running: Bucket) -> Iterator[httpx.Client]:
    with (
        serving(**SETTINGS, STORAGE_EMULATOR_HOST=running.url) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def bucket(running: Bucket) -> Iterator[Bucket]:
    """Two empty buckets and no faults."""
    running.faults, running.about_faults, running.write_faults = [], [], []
    running.before_writes, running.stays = [], False
    for name in ("photos", "masks", "more-photos"):
        for blob in list(running.client().list_blobs(name)):
            blob.delete()
    yield running
    running.faults, running.about_faults, running.write_faults, running.stays = [], [], [], False


def event(name: str, generation: str, bucket: str = "photos", **more: Any) -> dict[str, Any]:
    """Make the JSON of an object, as far as events have it."""
    return {"kind": "storage#object", "bucket": bucket, "name": name, "generation": generation, "size": "999", **more}


def post(function: httpx.Client, data: dict[str, Any], kind: str = FINALIZED) -> httpx.Response:
    """Post an event in binary mode."""
    headers = {
        "ce-id": "1",
        "ce-specversion": "1.0",
        "ce-type": kind,
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{data['bucket']}",
        "ce-subject": "objects/x",
        "Content-Type": "application/json",
    }
    return function.post("/", content=json.dumps(data), headers=headers)


def outcome(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.content) == (204, b""), answer.text
    return str(answer.headers["x-outcome"])


def masks(bucket: Bucket) -> dict[str, Any]:
    return {blob.name: blob for blob in bucket.client().list_blobs("masks")}


def plant(bucket: Bucket, name: str, source: int, version: str = VERSION, text: str = "planted") -> int:
    """Put a mask or note there as another instance would have written it."""
    blob = bucket.client().bucket("masks").blob(name)
    blob.metadata = {"source-bucket": "photos", "source-generation": str(source), "model": "pets", "version": version}
    blob.upload_from_string(text)
    return int(blob.generation)


def test_a_photo_that_comes_to_the_bucket_gets_the_mask_that_the_function_answers(
    bucket: Bucket, function: Function, sample: bytes
) -> None:
    generation = bucket.put("deep/cat ü#?.jpg", sample, "photos")
    answer = post(function, event("deep/cat ü#?.jpg", generation))
    assert outcome(answer) == "mask"
    assert {"look", "read", "infer", "write"} <= {
        part.partition(";")[0] for part in answer.headers["server-timing"].split(", ")
    }
    [mask] = masks(bucket).values()
    assert (mask.name, mask.content_type) == ("deep/cat ü#?.jpg.png", "image/png")
    assert mask.download_as_bytes() == function.post("/", content=sample).content
    about = function.get("/").json()
    made_by = {name: about[key] for name, key in (("model", "name"), ("version", "version"), ("sha256", "sha256"))}
    assert mask.metadata == made_by | {"source-bucket": "photos", "source-generation": generation}
    assert about["events"] == {"mask": "{name}.png", "note": "{name}.error.json"}


@pytest.mark.parametrize("wrap", [lambda data: {"data": data}, lambda data: {"data_base64": _base64(data)}])
def test_structured_mode_is_taken_too(
    bucket: Bucket, function: Function, sample: bytes, wrap: Callable[[Any], dict[str, Any]]
) -> None:
    generation = bucket.put("a.jpg", sample, "photos")
    envelope = {"specversion": "1.0", "id": "1", "type": FINALIZED, "source": "//storage.googleapis.com/x"}
    body = json.dumps(envelope | wrap(event("a.jpg", generation)))
    answer = function.post("/", content=body, headers={"Content-Type": "application/cloudevents+json; charset=utf-8"})
    assert outcome(answer) == "mask"
    assert masks(bucket).keys() == {"a.jpg.png"}


def _base64(data: Any) -> str:
    return base64.b64encode(json.dumps(data).encode()).decode()


def test_photos_that_differ_in_their_ending_alone_have_masks_of_their_own(bucket: Bucket, function: Function) -> None:
    for name in ("a", "a.jpg", "a.png", "a.jpg.png"):
        assert outcome(post(function, event(name, bucket.put(name, drawn("red"), "photos")))) == "mask"
    assert masks(bucket).keys() == {"a.png", "a.jpg.png", "a.png.png", "a.jpg.png.png"}


def test_an_event_that_is_delivered_again_changes_nothing(bucket: Bucket, function: Function, sample: bytes) -> None:
    data = event("a.jpg", bucket.put("a.jpg", sample, "photos"))
    post(function, data)
    before = masks(bucket)["a.jpg.png"].generation
    assert outcome(post(function, data)) == "present"
    assert masks(bucket)["a.jpg.png"].generation == before


def test_a_newer_photo_gets_a_newer_mask_and_the_older_event_is_late(
    bucket: Bucket, function: Function, sample: bytes
) -> None:
    older = event("a.jpg", bucket.put("a.jpg", drawn("red"), "photos"))
    assert outcome(post(function, older)) == "mask"
    newer = event("a.jpg", bucket.put("a.jpg", sample, "photos"))
    assert outcome(post(function, newer)) == "mask"
    assert outcome(post(function, older)) == "present"
    [mask] = masks(bucket).values()
    assert mask.metadata["source-generation"] == newer["generation"]
    assert mask.download_as_bytes() == function.post("/", content=sample).content


def test_a_photo_that_was_replaced_before_its_event_came_is_left_to_the_next_event(
    bucket: Bucket, function: Function, sample: bytes
) -> None:
    older = event("a.jpg", bucket.put("a.jpg", drawn("red"), "photos"))
    bucket.put("a.jpg", sample, "photos")
    assert outcome(post(function, older)) == "gone"
    assert masks(bucket) == {}


@pytest.mark.parametrize("name", ["a.jpg.png", "a.jpg.error.json"])
def test_what_is_there_of_a_newer_photo_stays(bucket: Bucket, function: Function, sample: bytes, name: str) -> None:
    generation = bucket.put("a.jpg", sample, "photos")
    planted = plant(bucket, name, int(generation) + 1)
    assert outcome(post(function, event("a.jpg", generation))) == "present"
    assert {each.name: each.generation for each in masks(bucket).values()} == {name: planted}


def test_a_mask_of_another_version_of_the_model_is_made_anew(bucket: Bucket, function: Function, sample: bytes) -> None:
    generation = bucket.put("a.jpg", sample, "photos")
    plant(bucket, "a.jpg.png", int(generation), version="0")
    assert outcome(post(function, event("a.jpg", generation))) == "mask"
    assert masks(bucket)["a.jpg.png"].metadata["version"] == VERSION


@pytest.mark.parametrize("name", ["a.jpg.png", "a.jpg.error.json"])
@pytest.mark.parametrize(("difference", "stays"), [(1, True), (-1, False)])
def test_of_two_who_write_at_once_the_newer_photo_wins(
    bucket: Bucket, function: Function, sample: bytes, name: str, difference: int, stays: bool
) -> None:
    """The other writes after the function has looked, and before it writes."""
    generation = bucket.put("a.jpg", sample, "photos")
    bucket.before_writes = [lambda: plant(bucket, name, int(generation) + difference)]
    outcome(post(function, event("a.jpg", generation)))
    assert masks(bucket).keys() == ({name} if stays else {"a.jpg.png"})
    [left] = masks(bucket).values()
    assert int(left.metadata["source-generation"]) == int(generation) + (difference if stays else 0)


def test_what_is_about_to_be_removed_stays_if_it_is_written_anew_just_then(bucket: Bucket, function: Function) -> None:
    generation = bucket.put("a.jpg", b"some text", "photos")
    plant(bucket, "a.jpg.png", int(generation) - 1)
    bucket.before_writes = [lambda: None, lambda: plant(bucket, "a.jpg.png", int(generation) + 1)]
    assert outcome(post(function, event("a.jpg", generation))) == "note; code=not-a-photo"
    assert masks(bucket)["a.jpg.png"].metadata["source-generation"] == str(int(generation) + 1)
    assert outcome(post(function, event("a.jpg", generation))) == "present"
    assert masks(bucket).keys() == {"a.jpg.png"}


def test_a_photo_that_is_stored_compressed_is_read_as_it_was(bucket: Bucket, function: Function, sample: bytes) -> None:
    blob = bucket.client().bucket("photos").blob("a.jpg")
    blob.content_encoding = "gzip"
    blob.upload_from_string(gzip.compress(sample), content_type="image/jpeg")
    assert outcome(post(function, event("a.jpg", str(blob.generation)))) == "mask"
    bomb = bucket.client().bucket("photos").blob("b.jpg")
    bomb.content_encoding = "gzip"
    bomb.upload_from_string(gzip.compress(bytes(30_000_000)), content_type="image/jpeg")
    assert outcome(post(function, event("b.jpg", str(bomb.generation)))) == "note; code=photo-too-large"


@pytest.mark.parametrize("why", UNUSABLE)
def test_a_photo_that_will_never_work_has_a_note_that_says_why(bucket: Bucket, function: Function, why: str) -> None:
    code, data = why.partition(" ")[0], UNUSABLE[why]
    generation = bucket.put("a.jpg", data, "photos")
    about = event("a.jpg", generation, size=str(len(data)))
    assert outcome(post(function, about)) == f"note; code={code}"
    [note] = masks(bucket).values()
    assert (note.name, note.content_type) == ("a.jpg.error.json", "application/json")
    said = json.loads(note.download_as_bytes())
    assert said.pop("detail")
    assert said == {
        "code": code,
        "bucket": "photos",
        "name": "a.jpg",
        "generation": generation,
        "model": "pets",
        "version": VERSION,
    }
    assert note.metadata["source-generation"] == generation
    assert outcome(post(function, about)) == "present"
    assert masks(bucket)["a.jpg.error.json"].generation == note.generation


def test_the_size_in_an_event_is_not_believed(bucket: Bucket, function: Function, sample: bytes) -> None:
    generation = bucket.put("a.jpg", sample, "photos")
    assert outcome(post(function, event("a.jpg", generation, size="999999999"))) == "mask"
    generation = bucket.put("b.jpg", bytes(300_001), "photos")
    assert outcome(post(function, event("b.jpg", generation, size="3"))) == "note; code=photo-too-large"
    assert outcome(post(function, event("c.jpg", "9" * 18, size="999999999"))) == "gone"


def test_a_mask_takes_the_place_of_a_note_and_a_note_that_of_a_mask(
    bucket: Bucket, function: Function, sample: bytes
) -> None:
    for data, name in ((sample, "a.jpg.png"), (b"text", "a.jpg.error.json"), (sample, "a.jpg.png")):
        outcome(post(function, event("a.jpg", bucket.put("a.jpg", data, "photos"))))
        assert masks(bucket).keys() == {name}


@pytest.mark.parametrize("newer", ["a.jpg.png", "a.jpg.error.json"])
def test_what_one_who_was_killed_did_not_remove_is_removed_by_the_next(
    bucket: Bucket, function: Function, sample: bytes, newer: str
) -> None:
    generation = bucket.put("a.jpg", sample, "photos")
    for name in ("a.jpg.png", "a.jpg.error.json"):
        plant(bucket, name, int(generation) + (name == newer))
    assert outcome(post(function, event("a.jpg", generation))) == "present"
    assert masks(bucket).keys() == {newer}


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (event("a.jpg", "1", bucket="others"), FINALIZED, "other-bucket"),
        (event("a.jpg.png", "1", bucket="masks"), FINALIZED, "other-bucket"),
        (event("a.jpg", "1"), FINALIZED.replace("finalized", "deleted"), "other-type"),
        (event("folder/", "1"), FINALIZED, "folder"),
        (event("ü" * 510, "1"), FINALIZED, "name-too-long"),
    ],
)
def test_an_event_that_no_mask_comes_of_is_refused_and_not_asked_for_again(
    bucket: Bucket, function: Function, data, kind, code
) -> None:
    assert outcome(post(function, data, kind)) == f"refused; code={code}"
    assert masks(bucket) == {}


def test_what_the_function_has_not_written_it_does_not_overwrite(
    bucket: Bucket, function: Function, sample: bytes
) -> None:
    generation = bucket.put("a.jpg", sample, "photos")
    bucket.put("a.jpg.png", NOT_OURS.encode(), "masks")
    assert outcome(post(function, event("a.jpg", generation))) == "refused; code=not-ours"
    assert masks(bucket)["a.jpg.png"].download_as_bytes() == NOT_OURS.encode()


@pytest.mark.parametrize("faults", ["faults", "about_faults", "write_faults"])
@pytest.mark.parametrize("fault", [gcs_emulator.refuse(503), gcs_emulator.refuse(429), gcs_emulator.cut])
def test_a_fault_that_passes_soon_is_waited_out(
    bucket: Bucket, function: Function, sample: bytes, faults: str, fault: gcs_emulator.Fault
) -> None:
    generation = bucket.put("a.jpg", sample, "photos")
    setattr(bucket, faults, [fault])
    assert outcome(post(function, event("a.jpg", generation))) in ("mask", "present")
    assert masks(bucket)["a.jpg.png"].download_as_bytes() == function.post("/", content=sample).content


def test_bytes_that_changed_on_the_way_are_read_anew(bucket: Bucket, function: Function, sample: bytes) -> None:
    generation = bucket.put("a.jpg", sample, "photos")
    bucket.faults = [gcs_emulator.flip]
    assert outcome(post(function, event("a.jpg", generation))) == "mask"


@pytest.mark.parametrize("faults", ["faults", "about_faults", "write_faults"])
def test_a_fault_that_does_not_pass_soon_asks_for_another_delivery(
    bucket: Bucket, function: Function, sample: bytes, faults: str
) -> None:
    about = event("a.jpg", bucket.put("a.jpg", sample, "photos"))
    setattr(bucket, faults, [gcs_emulator.refuse(403)])
    answer = post(function, about)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage-failed")
    assert answer.headers["retry-after"]
    assert "photos" not in answer.text
    assert outcome(post(function, about)) in ("mask", "present")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"bucket": "photos"}', b'{"bucket": "photos", "name": 1, "generation": "1"}']
)
def test_an_event_that_cannot_be_read_is_told_so(function: Function, body: bytes) -> None:
    for headers in ({"ce-type": FINALIZED}, {"Content-Type": "application/cloudevents+json"}):
        answer = function.post("/", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-event")


def test_photos_are_answered_as_ever_beside_events(function: Function, sample: bytes) -> None:
    assert function.post("/", content=sample).status_code == 200


def test_several_buckets_of_photos_have_folders_of_their_own_and_a_note_is_logged_once(
    running, bucket: Bucket, sample: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    two = SETTINGS | {"PHOTO_BUCKETS": "photos, more-photos", "STORAGE_EMULATOR_HOST": running.url}
    with serving(**two) as url, httpx.Client(base_url=url, timeout=60) as function:
        for name in ("photos", "more-photos"):
            assert outcome(post(function, event("a.jpg", bucket.put("a.jpg", sample, name), name))) == "mask"
        about = event("b.jpg", bucket.put("b.jpg", b"secret words", "photos"))
        for _ in range(2):
            outcome(post(function, about))
    assert masks(bucket).keys() == {"photos/a.jpg.png", "more-photos/a.jpg.png", "photos/b.jpg.error.json"}
    logged = [
        json.loads(line)
        for line in capfd.readouterr().err.splitlines()
        if line.startswith("{") and "httpRequest" not in line
    ]
    assert [line["message"] for line in logged] == ["wrote a note for gs://photos/b.jpg: not-a-photo"]


def test_until_the_model_is_here_events_are_to_come_again(running, bucket: Bucket, sample: bytes) -> None:
    late = SETTINGS | {"MODEL_URI": "gs://models/none.tflite", "STORAGE_EMULATOR_HOST": running.url}
    with serving(**late) as url, httpx.Client(base_url=url, timeout=60) as function:
        answer = post(function, event("a.jpg", bucket.put("a.jpg", sample, "photos")))
        assert (answer.status_code, answer.json()["code"]) == (503, "model-not-found")


def test_with_no_buckets_set_an_event_is_no_photo(http: httpx.Client) -> None:
    assert post(http, event("a.jpg", "1")).status_code == 415
    assert http.get("/").json()["events"] is None


def test_buckets_that_make_no_sense_together_stop_the_function_at_its_start() -> None:
    code = "from functions_framework import create_app; create_app('run', 'main.py')"
    env = {**os.environ, "PHOTO_BUCKETS": "photos", "MASK_BUCKET": "photos"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "MASK_BUCKET must not be one of PHOTO_BUCKETS" in done.stderr
