"""Storage events that are repeated, late or concurrent, and failures of Cloud Storage: the mask must stay right."""

from __future__ import annotations

import httpx
import pytest

from tests.support import gcs_faults
from tests.support.gcs_emulator import CALLS, Call, GcsEmulator
from tests.support.images import solid_image
from tests.support.storage_events import (
    MODEL_VERSION,
    deliver,
    event_data,
    post_event,
    store_artifact,
    stored_masks,
)

FOREIGN_TEXT = "not written by the function"


def test_a_repeated_event_changes_nothing(gcs: GcsEmulator, event_function: httpx.Client, sample: bytes) -> None:
    data = event_data("a.jpg", gcs.put("a.jpg", sample, "photos"))
    post_event(event_function, data)
    before = stored_masks(gcs)["a.jpg.png"].generation
    assert deliver(event_function, data) == "present"
    assert stored_masks(gcs)["a.jpg.png"].generation == before


def test_an_event_of_an_older_photo_version_keeps_the_newer_mask(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes
) -> None:
    older = event_data("a.jpg", gcs.put("a.jpg", solid_image("red"), "photos"))
    assert deliver(event_function, older) == "mask"
    newer = event_data("a.jpg", gcs.put("a.jpg", sample, "photos"))
    assert deliver(event_function, newer) == "mask"
    assert deliver(event_function, older) == "present"
    [mask] = stored_masks(gcs).values()
    assert mask.metadata["source-generation"] == newer["generation"]
    assert mask.download_as_bytes() == event_function.post("/", content=sample).content


def test_a_photo_replaced_before_its_event_is_left_to_the_next_event(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes
) -> None:
    older = event_data("a.jpg", gcs.put("a.jpg", solid_image("red"), "photos"))
    gcs.put("a.jpg", sample, "photos")
    assert deliver(event_function, older) == "gone"
    assert stored_masks(gcs) == {}


@pytest.mark.parametrize("name", ["a.jpg.png", "a.jpg.error.json"])
def test_the_artifact_of_a_newer_photo_version_is_kept(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes, name: str
) -> None:
    generation = gcs.put("a.jpg", sample, "photos")
    stored = store_artifact(gcs, name, int(generation) + 1)
    assert deliver(event_function, event_data("a.jpg", generation)) == "present"
    assert {blob.name: blob.generation for blob in stored_masks(gcs).values()} == {name: stored}


def test_a_mask_of_another_model_version_is_replaced(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes
) -> None:
    generation = gcs.put("a.jpg", sample, "photos")
    store_artifact(gcs, "a.jpg.png", int(generation), version="0")
    assert deliver(event_function, event_data("a.jpg", generation)) == "mask"
    assert stored_masks(gcs)["a.jpg.png"].metadata["version"] == MODEL_VERSION


@pytest.mark.parametrize("name", ["a.jpg.png", "a.jpg.error.json"])
@pytest.mark.parametrize(("generation_offset", "other_wins"), [(1, True), (-1, False)])
def test_of_two_concurrent_writes_the_newer_photo_version_wins(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes, name: str, generation_offset: int, other_wins: bool
) -> None:
    """The other instance writes after the function has read, and before it writes."""
    generation = gcs.put("a.jpg", sample, "photos")
    gcs.before_writes = [lambda: store_artifact(gcs, name, int(generation) + generation_offset)]
    deliver(event_function, event_data("a.jpg", generation))
    assert stored_masks(gcs).keys() == ({name} if other_wins else {"a.jpg.png"})
    [artifact] = stored_masks(gcs).values()
    assert int(artifact.metadata["source-generation"]) == int(generation) + (generation_offset if other_wins else 0)


def test_a_stale_artifact_that_is_replaced_before_its_deletion_is_kept(
    gcs: GcsEmulator, event_function: httpx.Client
) -> None:
    generation = gcs.put("a.jpg", b"some text", "photos")
    store_artifact(gcs, "a.jpg.png", int(generation) - 1)
    gcs.before_writes = [lambda: None, lambda: store_artifact(gcs, "a.jpg.png", int(generation) + 1)]
    assert deliver(event_function, event_data("a.jpg", generation)) == "note; code=not-a-photo"
    assert stored_masks(gcs)["a.jpg.png"].metadata["source-generation"] == str(int(generation) + 1)
    assert deliver(event_function, event_data("a.jpg", generation)) == "present"
    assert stored_masks(gcs).keys() == {"a.jpg.png"}


def test_a_mask_replaces_a_note_and_a_note_replaces_a_mask(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes
) -> None:
    for data, name in ((sample, "a.jpg.png"), (b"text", "a.jpg.error.json"), (sample, "a.jpg.png")):
        deliver(event_function, event_data("a.jpg", gcs.put("a.jpg", data, "photos")))
        assert stored_masks(gcs).keys() == {name}


@pytest.mark.parametrize("newer", ["a.jpg.png", "a.jpg.error.json"])
def test_a_stale_artifact_left_by_a_killed_instance_is_deleted(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes, newer: str
) -> None:
    generation = gcs.put("a.jpg", sample, "photos")
    for name in ("a.jpg.png", "a.jpg.error.json"):
        store_artifact(gcs, name, int(generation) + (name == newer))
    assert deliver(event_function, event_data("a.jpg", generation)) == "present"
    assert stored_masks(gcs).keys() == {newer}


def test_an_object_that_the_function_did_not_write_is_not_overwritten(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes
) -> None:
    generation = gcs.put("a.jpg", sample, "photos")
    gcs.put("a.jpg.png", FOREIGN_TEXT.encode(), "masks")
    assert deliver(event_function, event_data("a.jpg", generation)) == "refused; code=not-ours"
    assert stored_masks(gcs)["a.jpg.png"].download_as_bytes() == FOREIGN_TEXT.encode()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", [gcs_faults.fail_with(503), gcs_faults.fail_with(429), gcs_faults.truncate])
def test_transient_errors_are_retried(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes, call: Call, fault: gcs_faults.Fault
) -> None:
    generation = gcs.put("a.jpg", sample, "photos")
    gcs.faults[call] = [fault]
    assert deliver(event_function, event_data("a.jpg", generation)) in ("mask", "present")
    assert stored_masks(gcs)["a.jpg.png"].download_as_bytes() == event_function.post("/", content=sample).content


def test_a_corrupted_photo_is_read_again(gcs: GcsEmulator, event_function: httpx.Client, sample: bytes) -> None:
    generation = gcs.put("a.jpg", sample, "photos")
    gcs.faults["read"] = [gcs_faults.corrupt]
    assert deliver(event_function, event_data("a.jpg", generation)) == "mask"


@pytest.mark.parametrize("call", CALLS)
def test_a_persistent_error_requests_another_delivery(
    gcs: GcsEmulator, event_function: httpx.Client, sample: bytes, call: Call
) -> None:
    event = event_data("a.jpg", gcs.put("a.jpg", sample, "photos"))
    gcs.faults[call] = [gcs_faults.fail_with(403)]
    response = post_event(event_function, event)
    assert (response.status_code, response.json()["code"]) == (503, "storage-failed")
    assert response.headers["retry-after"]
    assert "photos" not in response.text
    assert deliver(event_function, event) in ("mask", "present")
