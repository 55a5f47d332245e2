"""The backfill command, with the real function and Cloud Storage emulated on this machine."""

from __future__ import annotations

import builtins
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client.cli.main import main
from tests.support.fake_function import CLOSED, Failure, ReceivedRequest, running_fake
from tests.support.function_process import serving
from tests.support.gcs_emulator import GcsEmulator
from tests.support.images import solid_image
from tests.support.paths import ROOT
from tests.support.storage_events import store_artifact

OBJECT_NAMES = {"mask": "{name}.png", "note": "{name}.error.json"}


@pytest.fixture(scope="module")
def function(gcs_emulator: GcsEmulator) -> Iterator[str]:
    with serving(PHOTO_BUCKETS="photos", MASK_BUCKET="masks", STORAGE_EMULATOR_HOST=gcs_emulator.url) as url:
        yield url


@pytest.fixture
def bucket(gcs: GcsEmulator) -> GcsEmulator:
    """A photo bucket with unusual object names; the other buckets are empty."""
    for name, colour in (("a.jpg", "red"), ("a.png", "blue"), ("deep/ü {name}#?.jpg", "tan"), ("folder/", "red")):
        gcs.put(name, b"" if name.endswith("/") else solid_image(colour), "photos")
    return gcs


def masks(bucket: GcsEmulator) -> set[str]:
    return {blob.name for blob in bucket.client().list_blobs("masks")}


def backfill(url: str, source: str = "gs://photos", *options: str) -> int:
    return main([source, "--masks", "gs://masks", "--url", url, *options])


def test_every_photo_without_a_mask_gets_one_and_none_is_downloaded(
    bucket: GcsEmulator, function: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    reads = len(bucket.range_headers)
    assert backfill(function, "gs://photos", "--jobs", "2", "--log", str(tmp_path / "log")) == 0
    assert masks(bucket) == {"a.jpg.png", "a.png.png", "deep/ü {name}#?.jpg.png"}
    output = capsys.readouterr()
    assert "done 3, skipped 0, failed 0" in output.out
    assert "gs://photos/a.png -> gs://masks/a.png.png" in output.out
    assert len(bucket.range_headers) - reads == 3  # the function's own
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {(line["photo"], line["status"]) for line in lines} == {
        (f"gs://photos/{name}", "done") for name in ("a.jpg", "a.png", "deep/ü {name}#?.jpg")
    }


def test_photos_with_a_current_mask_are_skipped(
    bucket: GcsEmulator, function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    backfill(function)
    bucket.client().bucket("masks").blob("a.png.png").delete()
    bucket.put("a.jpg", solid_image("green"), "photos")
    capsys.readouterr()
    assert backfill(function) == 0
    assert "done 2, skipped 1, failed 0" in capsys.readouterr().out
    assert backfill(function) == 0
    assert "done 0, skipped 3, failed 0" in capsys.readouterr().out


def test_a_mask_of_another_model_is_replaced(
    bucket: GcsEmulator, function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    generation = bucket.client().bucket("photos").get_blob("a.jpg").generation
    store_artifact(bucket, "a.jpg.png", generation, version="0")
    assert backfill(function) == 0
    assert "done 3, skipped 0, failed 0" in capsys.readouterr().out


def test_a_prefix_selects_photos_by_the_start_of_their_names(bucket: GcsEmulator, function: str) -> None:
    assert backfill(function, "gs://photos/deep/") == 0
    assert masks(bucket) == {"deep/ü {name}#?.jpg.png"}


def test_a_permanently_failed_photo_fails_once_and_is_skipped_afterwards(
    bucket: GcsEmulator, function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket.put("text.jpg", b"some text", "photos")
    assert backfill(function) == 1
    output = capsys.readouterr()
    assert "done 3, skipped 0, failed 1" in output.out
    assert "failed 1 x not-a-photo: gs://photos/text.jpg" in output.out
    assert "see its error file in the mask bucket" in output.err
    assert backfill(function) == 0
    assert "done 0, skipped 4, failed 0" in capsys.readouterr().out


def test_masks_of_several_photo_buckets_are_matched_by_their_folders(
    bucket: GcsEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket.put("a.jpg", solid_image("red"), "more-photos")
    both = {"PHOTO_BUCKETS": "photos,more-photos", "MASK_BUCKET": "masks", "STORAGE_EMULATOR_HOST": bucket.url}
    with serving(**both) as url:
        assert backfill(url, "gs://more-photos") == 0
        assert masks(bucket) == {"more-photos/a.jpg.png"}
        capsys.readouterr()
        assert backfill(url, "gs://more-photos") == 0
        assert "done 0, skipped 1, failed 0" in capsys.readouterr().out
        assert backfill(url, "gs://photos/a") == 0
        assert "done 2, skipped 0, failed 0" in capsys.readouterr().out


def test_a_bucket_that_the_function_does_not_accept_stops_the_run(
    bucket: GcsEmulator, function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        bucket.put(f"{number}.jpg", solid_image("red"), "more-photos")
    assert backfill(function, "gs://more-photos", "--jobs", "1") == 1
    output = capsys.readouterr()
    assert "does not accept photos from this bucket" in output.err
    assert "failed 1, remaining 29" in output.out
    assert masks(bucket) == set()


def test_a_function_that_accepts_no_events_is_reported(
    bucket: GcsEmulator, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backfill(server) == 1
    assert "does not accept storage events" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "message"),
    [("gs://nowhere", "the bucket gs://nowhere does not exist"), ("gs://photos/none", "no photos found")],
)
def test_a_missing_bucket_and_an_empty_listing_are_reported(
    bucket: GcsEmulator, function: str, capsys: pytest.CaptureFixture[str], source: str, message: str
) -> None:
    assert backfill(function, source) == 1
    assert message in capsys.readouterr().err


def no_content(outcome: str) -> Failure:
    return Failure(204, media_type="image/png", headers={"X-Outcome": outcome})


class EventResponses:
    """The responses of a function that accepts events.

    Attributes:
        first: The response to the first event of a photo, by the photo's name; later events succeed.
        events: All events.
    """

    def __init__(self, first: dict[str, Failure]) -> None:
        self.first = dict(first)
        self.events: list[dict[str, Any]] = []

    def __call__(self, number: int, request: ReceivedRequest) -> Failure | None:
        if request.method == "GET":
            model = {"name": "bright", "version": "1", "sha256": "0", "events": OBJECT_NAMES}
            return Failure(200, media_type="application/json", body=json.dumps(model).encode())
        event = json.loads(request.body)
        self.events.append(event)
        return self.first.pop(event["data"]["name"], None) or no_content("mask")


def test_transient_errors_are_retried(bucket: GcsEmulator, capsys: pytest.CaptureFixture[str]) -> None:
    responses = EventResponses({"a.jpg": Failure(503), "a.png": CLOSED})
    with running_fake(responses) as fake:
        assert backfill(fake.url) == 0
    assert "retried 2" in capsys.readouterr().out
    assert len(responses.events) == 5


def test_a_photo_replaced_since_the_listing_is_skipped(bucket: GcsEmulator, capsys: pytest.CaptureFixture[str]) -> None:
    with running_fake(EventResponses({"a.jpg": no_content("gone")})) as fake:
        assert backfill(fake.url) == 0
    assert "done 2, skipped 1, failed 0" in capsys.readouterr().out


def test_a_response_without_an_outcome_is_an_error(bucket: GcsEmulator, capsys: pytest.CaptureFixture[str]) -> None:
    first = {"a.jpg": Failure(204, media_type="image/png"), "a.png": Failure(200, media_type="image/png", body=b"x")}
    with running_fake(EventResponses(first)) as fake:
        assert backfill(fake.url) == 1
    assert "failed 2 x bad-answer" in capsys.readouterr().out


def test_events_have_the_form_that_eventarc_sends(bucket: GcsEmulator) -> None:
    responses = EventResponses({})
    with running_fake(responses) as fake:
        backfill(fake.url, "gs://photos/deep")
    [event] = responses.events
    blob = bucket.client().bucket("photos").get_blob("deep/ü {name}#?.jpg")
    assert event["type"] == "google.cloud.storage.object.v1.finalized"
    assert event["source"] == "//storage.googleapis.com/projects/_/buckets/photos"
    assert event["subject"] == f"objects/{blob.name}"
    expected = {"bucket": "photos", "name": blob.name, "generation": str(blob.generation), "size": str(blob.size)}
    assert event["data"] == expected


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_after_ctrl_c_the_same_command_continues(
    bucket: GcsEmulator, function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(60):
        bucket.put(f"{number}.jpg", solid_image("red", (40 + number, 40)), "photos")
    command = [sys.executable, "-m", "client", "gs://photos", "--masks", "gs://masks", "--url", function, "--jobs", "1"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # in a background job it is ignored
    )
    assert process.stdout
    for line in process.stdout:
        if " -> gs://masks/" in line:
            process.send_signal(signal.SIGINT)
            break
    output = process.stdout.read()
    assert process.wait(60) == 130
    assert "run the same command to continue" in output
    done = len(masks(bucket))
    assert 0 < done < 63
    assert backfill(function) == 0
    assert f"done {63 - done}, skipped {done}, failed 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gs://photos"], "requires --masks"),
        (["photo.jpg", "--masks", "gs://masks"], "requires exactly one gs://BUCKET"),
        (["gs://a-1", "gs://b-1", "--masks", "gs://masks"], "requires exactly one gs://BUCKET"),
        (["gs:///x", "--masks", "gs://masks"], "is not gs://BUCKET"),
        (["gs://photos", "--masks", "masks"], "is not gs://BUCKET"),
        (["gs://photos", "--masks", "gs://masks/folder"], "has a prefix"),
        (["gs://photos", "--masks", "gs://masks", "--output", "cutout"], "--output cannot be used with a bucket"),
        (["gs://photos", "--masks", "gs://masks", "--class", "pet"], "--class cannot be used with a bucket"),
    ],
)
def test_a_usage_error_is_explained(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert message in capsys.readouterr().err


def test_the_error_without_google_cloud_storage_says_what_to_install(
    bucket: GcsEmulator, function: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_module = builtins.__import__

    def import_without_google(name: str, *arguments: Any) -> Any:
        if name.startswith("google"):
            raise ImportError(name)
        return import_module(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", import_without_google)
    assert backfill(function) == 1
    assert "pip install google-cloud-storage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "message"),
    [(403, "grant roles/storage.objectViewer"), (400, "cannot list gs://masks: BadRequest")],
)
def test_a_listing_that_fails_is_reported(
    function: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, status: int, message: str
) -> None:
    with running_fake(lambda number, request: Failure(status, media_type="application/json", body=b"{}")) as storage:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage.url)
        assert backfill(function) == 1
    assert message in capsys.readouterr().err


def test_missing_credentials_are_reported(
    function: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    assert backfill(function) == 1
    assert "no credentials for Cloud Storage; run gcloud auth application-default login" in capsys.readouterr().err
