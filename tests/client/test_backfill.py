"""The command line about a bucket: real function, real storage client, buckets on this machine."""

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

from client.__main__ import main
from tests.client.test_fake_server import CUT, Failure, Seen, standing_in
from tests.support.function_process import Function, serving
from tests.support.gcs_emulator import GcsEmulator
from tests.support.images import solid_image
from tests.support.paths import ROOT
from tests.support.storage_events import store_artifact

PLACES = {"mask": "{name}.png", "note": "{name}.error.json"}


@pytest.fixture(scope="module")
def function(gcs_emulator: GcsEmulator) -> Iterator[str]:
    with serving(PHOTO_BUCKETS="photos", MASK_BUCKET="masks", STORAGE_EMULATOR_HOST=gcs_emulator.url) as url:
        yield url


@pytest.fixture
def bucket(gcs: GcsEmulator) -> GcsEmulator:
    """Photos with names of all kinds in one bucket, and nothing in the others."""
    for name, colour in (("a.jpg", "red"), ("a.png", "blue"), ("deep/ü {name}#?.jpg", "tan"), ("folder/", "red")):
        gcs.put(name, b"" if name.endswith("/") else solid_image(colour), "photos")
    return gcs


def masks(bucket: GcsEmulator) -> set[str]:
    return {blob.name for blob in bucket.client().list_blobs("masks")}


def backfill(url: str, source: str = "gs://photos", *more: str) -> int:
    return main([source, "--masks", "gs://masks", "--url", url, *more])


def test_every_photo_with_no_mask_gets_one_and_no_photo_comes_here(
    bucket: GcsEmulator, function: Function, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    reads = len(bucket.range_headers)
    assert backfill(function, "gs://photos", "--jobs", "2", "--log", str(tmp_path / "log")) == 0
    assert masks(bucket) == {"a.jpg.png", "a.png.png", "deep/ü {name}#?.jpg.png"}
    told = capsys.readouterr()
    assert "done 3, skipped 0, failed 0" in told.out
    assert "gs://photos/a.png -> gs://masks/a.png.png" in told.out
    assert len(bucket.range_headers) - reads == 3  # the function's own
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {(line["photo"], line["status"]) for line in lines} == {
        (f"gs://photos/{name}", "done") for name in ("a.jpg", "a.png", "deep/ü {name}#?.jpg")
    }


def test_what_is_done_is_not_asked_for_again(
    bucket: GcsEmulator, function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    backfill(function)
    bucket.client().bucket("masks").blob("a.png.png").delete()
    bucket.put("a.jpg", solid_image("green"), "photos")
    capsys.readouterr()
    assert backfill(function) == 0
    assert "done 2, skipped 1, failed 0" in capsys.readouterr().out
    assert backfill(function) == 0
    assert "done 0, skipped 3, failed 0" in capsys.readouterr().out


def test_a_mask_of_another_model_is_made_anew(
    bucket: GcsEmulator, function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    generation = bucket.client().bucket("photos").get_blob("a.jpg").generation
    store_artifact(bucket, "a.jpg.png", generation, version="0")
    assert backfill(function) == 0
    assert "done 3, skipped 0, failed 0" in capsys.readouterr().out


def test_a_prefix_stands_for_the_photos_whose_names_begin_so(bucket: GcsEmulator, function: Function) -> None:
    assert backfill(function, "gs://photos/deep/") == 0
    assert masks(bucket) == {"deep/ü {name}#?.jpg.png"}


def test_a_photo_that_will_never_work_fails_once_and_is_skipped_from_then_on(
    bucket: GcsEmulator, function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket.put("text.jpg", b"some text", "photos")
    assert backfill(function) == 1
    told = capsys.readouterr()
    assert "done 3, skipped 0, failed 1" in told.out
    assert "failed 1 x not-a-photo: gs://photos/text.jpg" in told.out
    assert "its note among the masks says why" in told.err
    assert backfill(function) == 0
    assert "done 0, skipped 4, failed 0" in capsys.readouterr().out


def test_masks_of_several_buckets_are_found_in_their_folders(
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


def test_a_bucket_that_the_function_does_not_take_stops_the_run_at_once(
    bucket: GcsEmulator, function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        bucket.put(f"{number}.jpg", solid_image("red"), "more-photos")
    assert backfill(function, "gs://more-photos", "--jobs", "1") == 1
    told = capsys.readouterr()
    assert "takes no photos of this bucket" in told.err
    assert "failed 1, left 29" in told.out
    assert masks(bucket) == set()


def test_a_function_that_takes_no_events_is_told_from_one_that_does(
    bucket: GcsEmulator, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backfill(server) == 1
    assert "takes no events" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "why"), [("gs://nowhere", "there is no bucket gs://nowhere"), ("gs://photos/none", "no photos found")]
)
def test_nothing_to_do_is_said(
    bucket: GcsEmulator, function: Function, capsys: pytest.CaptureFixture[str], source: str, why: str
) -> None:
    assert backfill(function, source) == 1
    assert why in capsys.readouterr().err


def answering(outcome: str) -> dict[str, str]:
    return {"X-Outcome": outcome}


class Taking:
    """Answer as a function that takes events; what comes of the first of each photo is given."""

    def __init__(self, first: dict[str, Failure]) -> None:
        self.first, self.events = dict(first), []

    def __call__(self, number: int, seen: Seen) -> Failure | None:
        if seen.method == "GET":
            about = {"name": "bright", "version": "1", "sha256": "0", "events": PLACES}
            return Failure(200, media_type="application/json", body=json.dumps(about).encode())
        event = json.loads(seen.body)
        self.events.append(event)
        failure = self.first.pop(event["data"]["name"], None)
        return failure or Failure(204, media_type="image/png", headers=answering("mask"))


def test_faults_that_pass_are_tried_again(bucket: GcsEmulator, capsys: pytest.CaptureFixture[str]) -> None:
    taking = Taking({"a.jpg": Failure(503), "a.png": CUT})
    with standing_in(taking) as stand_in:
        assert backfill(stand_in.url) == 0
    assert "tried again 2" in capsys.readouterr().out
    assert len(taking.events) == 5


def test_a_photo_that_was_replaced_meanwhile_is_left_to_its_own_event(
    bucket: GcsEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Failure(204, media_type="image/png", headers=answering("gone"))
    with standing_in(Taking({"a.jpg": gone})) as stand_in:
        assert backfill(stand_in.url) == 0
    assert "done 2, skipped 1, failed 0" in capsys.readouterr().out


def test_an_answer_that_says_nothing_of_the_event_is_no_success(
    bucket: GcsEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {"a.jpg": Failure(204, media_type="image/png"), "a.png": Failure(200, media_type="image/png", body=b"x")}
    with standing_in(Taking(first)) as stand_in:
        assert backfill(stand_in.url) == 1
    assert "failed 2 x bad-answer" in capsys.readouterr().out


def test_events_are_those_that_eventarc_would_send(bucket: GcsEmulator) -> None:
    taking = Taking({})
    with standing_in(taking) as stand_in:
        backfill(stand_in.url, "gs://photos/deep")
    [event] = taking.events
    blob = bucket.client().bucket("photos").get_blob("deep/ü {name}#?.jpg")
    assert event["type"] == "google.cloud.storage.object.v1.finalized"
    assert event["source"] == "//storage.googleapis.com/projects/_/buckets/photos"
    assert event["subject"] == f"objects/{blob.name}"
    wanted = {"bucket": "photos", "name": blob.name, "generation": str(blob.generation), "size": str(blob.size)}
    assert event["data"] == wanted


@pytest.mark.skipif(os.name != "posix", reason="sends signals, which Windows has not")
def test_stopped_by_ctrl_c_the_same_command_goes_on(
    bucket: GcsEmulator, function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(60):
        bucket.put(f"{number}.jpg", solid_image("red", (40 + number, 40)), "photos")
    command = [sys.executable, "-m", "client", "gs://photos", "--masks", "gs://masks", "--url", function, "--jobs", "1"]
    default = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=default
    )
    assert process.stdout
    for line in process.stdout:
        if " -> gs://masks/" in line:
            process.send_signal(signal.SIGINT)
            break
    said = process.stdout.read()
    assert process.wait(60) == 130
    assert "the same command goes on with them" in said
    done = len(masks(bucket))
    assert 0 < done < 63
    assert backfill(function) == 0
    assert f"done {63 - done}, skipped {done}, failed 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["gs://photos"], "needs --masks"),
        (["photo.jpg", "--masks", "gs://masks"], "is for one gs://BUCKET"),
        (["gs://a-1", "gs://b-1", "--masks", "gs://masks"], "is for one gs://BUCKET"),
        (["gs:///x", "--masks", "gs://masks"], "is not gs://bucket"),
        (["gs://photos", "--masks", "masks"], "is not gs://bucket"),
        (["gs://photos", "--masks", "gs://masks/folder"], "names a folder"),
        (["gs://photos", "--masks", "gs://masks", "--output", "cutout"], "--output is not for a bucket"),
        (["gs://photos", "--masks", "gs://masks", "--class", "pet"], "--class is not for a bucket"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert why in capsys.readouterr().err


def test_without_the_storage_library_it_is_said_what_to_install(
    bucket: GcsEmulator, function: Function, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("google"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert backfill(function) == 1
    assert "pip install google-cloud-storage" in capsys.readouterr().err
