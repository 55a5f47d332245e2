from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from model.errors import Busy, StorageFailed
from model.gcs import mask_store
from model.gcs.events import FINALIZED, BucketConfig, Event
from model.serving.event_handler import MAX_ATTEMPTS, Outcome, handle_event
from tests.support import gcs_faults
from tests.support.gcs_emulator import GcsEmulator
from tests.support.storage_events import store_artifact

BUCKETS = BucketConfig(("photos",), "masks")


class FakeSegmenter:
    """Returns the bytes "mask" for each photo, or raises an error."""

    card = SimpleNamespace(name="pets", version="1", threshold=0.5, labels=("background", "pet"))
    sha256 = "0" * 64

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def segment(self, *_: object) -> Any:
        if self.error:
            raise self.error
        return SimpleNamespace(body=b"mask", stages_ms={"infer": 1.0})


@pytest.fixture
def event(gcs: GcsEmulator) -> Event:
    """The event of a photo in the bucket."""
    mask_store._client.cache_clear()  # it may be a client of another server
    return Event(FINALIZED, "photos", "a.jpg", int(gcs.put("a.jpg", b"photo", "photos")), 5)


def handle(event: Event, segmenter: Any) -> Outcome:
    return handle_event(event, segmenter, BUCKETS, 1000)


def test_the_stages_of_the_segmenter_are_among_those_of_the_event(event: Event) -> None:
    outcome = handle(event, FakeSegmenter())
    assert (outcome.outcome, outcome.code) == ("mask", "")
    assert list(outcome.stages_ms) == ["look", "read", "infer", "write", "tidy"]


def test_a_lack_of_memory_is_no_fault_of_the_photo(event: Event) -> None:
    with pytest.raises(Busy, match="not enough memory"):
        handle(event, FakeSegmenter(Busy("not enough memory for this photo now; retry in a moment")))


def test_writes_by_other_instances_do_not_repeat_forever(gcs: GcsEmulator, event: Event) -> None:
    older = event.generation - 1
    gcs.before_writes = [lambda: store_artifact(gcs, "a.jpg.png", older)] * MAX_ATTEMPTS
    with pytest.raises(StorageFailed, match="other instances"):
        handle(event, FakeSegmenter())


def test_the_reason_of_a_storage_failure_is_logged_and_not_raised(
    gcs: GcsEmulator, event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    gcs.faults["look"] = [gcs_faults.fail_with(403)]
    with pytest.raises(StorageFailed) as raised:
        handle(event, FakeSegmenter())
    assert "permission" not in str(raised.value)
    assert "no permission to read it" in capsys.readouterr().err
