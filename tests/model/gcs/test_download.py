from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from model.errors import ModelNotFound, ModelRejected
from model.gcs import client as gcs_client
from model.gcs import download
from tests.model.tflite.test_loading import PHOTO
from tests.support import gcs_emulator
from tests.support.function_process import serving
from tests.support.gcs_emulator import BUCKET, Bucket
from tests.support.paths import MODELS, ROOT

MODEL = (MODELS / "served" / "logit.tflite").read_bytes() + bytes(300_000)
URI = f"gs://{BUCKET}/red.tflite"


@pytest.fixture(scope="module")
def running() -> Iterator[Bucket]:
    with gcs_emulator.running() as bucket:
        yield bucket


@pytest.fixture
def bucket(running: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket with one model and no faults."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
    running.put("red.tflite", MODEL)
    running.faults, running.about_faults, running.ranges, running.stays = [], [], [], False
    yield running
    running.faults = running.about_faults = []


def fetch(uri: str = URI, timeout_s: float = 30, sha256: str = "") -> download.ModelFile:
    return download.get_model_file(uri, sha256, timeout_s)


def test_a_model_comes_whole_with_its_generation_and_checksum(bucket: Bucket) -> None:
    generation = bucket.put("folder/a #1.tflite", MODEL)
    found = fetch(f"gs://{BUCKET}/folder/a #1.tflite", sha256=hashlib.sha256(MODEL).hexdigest())
    assert found.path.read_bytes() == MODEL
    assert found.generation == generation
    assert found.sha256 == hashlib.sha256(MODEL).hexdigest()
    assert [file.name for file in found.path.parent.iterdir()] == [found.path.name]
    assert fetch(f"{URI}#{fetch().generation}").generation == fetch().generation


def test_the_generation_found_first_is_the_one_fetched(bucket: Bucket) -> None:
    with pytest.raises(ModelNotFound, match="no such bucket, object or generation"):
        fetch(f"{URI}#12345")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(403, "no permission to read it"), (404, "no such bucket, object or generation")],
)
def test_what_another_try_does_not_change_is_said_at_once(bucket: Bucket, fault: int, reason: str) -> None:
    bucket.about_faults = [gcs_emulator.refuse(fault)]
    began = time.monotonic()
    with pytest.raises(ModelNotFound, match=reason):
        fetch()
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("uri", [f"gs://{BUCKET}/none.tflite", "gs://nowhere/red.tflite"])
def test_no_such_bucket_or_object(bucket: Bucket, uri: str) -> None:
    with pytest.raises(ModelNotFound, match="no such bucket, object or generation"):
        fetch(uri)


def test_a_fault_that_passes_is_waited_out(bucket: Bucket) -> None:
    bucket.about_faults = [gcs_emulator.refuse(503), gcs_emulator.refuse(429)]
    bucket.faults = [gcs_emulator.refuse(503), gcs_emulator.refuse(500)]
    assert fetch().path.read_bytes() == MODEL


def test_a_connection_cut_midway_is_taken_up_where_it_broke(bucket: Bucket) -> None:
    bucket.faults = [gcs_emulator.cut]
    assert fetch().path.read_bytes() == MODEL
    assert bucket.ranges[1].startswith("bytes=")


@pytest.mark.parametrize("fault", [gcs_emulator.flip, gcs_emulator.cut_and_flip])
def test_bytes_that_changed_on_the_way_are_fetched_anew(bucket: Bucket, fault: gcs_emulator.Fault) -> None:
    bucket.faults = [fault]
    assert fetch().path.read_bytes() == MODEL


def test_bytes_that_always_change_serve_never(bucket: Bucket) -> None:
    bucket.faults, bucket.stays = [gcs_emulator.flip], True
    with pytest.raises(ModelNotFound, match="the checksum of the download differs"):
        fetch(timeout_s=3)


def test_a_link_that_is_too_slow_ends_with_the_time(bucket: Bucket) -> None:
    bucket.faults = [gcs_emulator.trickle]
    began = time.monotonic()
    with pytest.raises(ModelNotFound, match=r"within 2 s|too slow"):
        fetch(timeout_s=2)
    assert time.monotonic() - began < 5


def test_a_model_of_another_checksum_is_not_taken(bucket: Bucket) -> None:
    with pytest.raises(ModelNotFound, match="MODEL_SHA256"):
        fetch(sha256="0" * 64)


def test_a_full_disk_is_told(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as error:
        download.download_model(URI, tmp_path, "", time.monotonic() + 20)
    assert gcs_client.describe_error(error.value) == "the disk is full"
    assert not (tmp_path / "model.tflite").exists()


def test_nothing_stays_behind_when_it_fails(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download.tempfile, "tempdir", str(tmp_path))
    bucket.faults = [gcs_emulator.refuse(404)]
    with pytest.raises(ModelNotFound):
        fetch()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "uri", ["s3://bucket/red.tflite", "gs://bucket", "gs:///red.tflite", "https://host/red.tflite"]
)
def test_a_uri_that_names_no_object_is_refused(uri: str) -> None:
    with pytest.raises(ModelRejected, match="MODEL_URI must be"):
        download.is_gcs_uri(uri)


def test_a_path_must_have_the_checksum_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "red.tflite"
    file.write_bytes(MODEL)
    assert download.get_model_file(str(file), hashlib.sha256(MODEL).hexdigest(), 1).path == file
    with pytest.raises(ModelRejected, match="MODEL_SHA256"):
        download.get_model_file(str(file), "0" * 64, 1)


def test_an_instance_serves_the_model_that_it_began_with(bucket: Bucket) -> None:
    generation = bucket.put("red.tflite", MODEL)
    with serving(MODEL_URI=URI) as url, httpx.Client(base_url=url, timeout=60) as client:
        bucket.put("red.tflite", MODEL + b"newer")
        mask = client.post("/", content=PHOTO)
        assert mask.status_code == 200
        assert mask.headers["x-model"].startswith(f"model/{generation}; sha256=")
        about = client.get("/").json()
        assert (about["version"], about["sha256"]) == (generation, hashlib.sha256(MODEL).hexdigest())
        assert len(bucket.ranges) == 1


def test_requests_are_told_to_come_back_until_the_model_is_there(bucket: Bucket) -> None:
    with serving(MODEL_URI=f"gs://{BUCKET}/late.tflite") as url, httpx.Client(base_url=url, timeout=10) as client:
        for ask in (lambda: client.post("/", content=PHOTO), lambda: client.get("/health"), lambda: client.get("/")):
            began = time.monotonic()
            answer = ask()
            assert time.monotonic() - began < 2
            assert (answer.status_code, answer.json()["code"]) == (503, "model-not-found")
            assert int(answer.headers["retry-after"]) >= 1
            assert BUCKET not in answer.text
        bucket.put("late.tflite", MODEL)
        end = time.monotonic() + 40
        while client.post("/", content=PHOTO).status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.5)
        assert client.get("/health").status_code == 200


def test_a_model_from_storage_that_cannot_serve_stops_the_function(bucket: Bucket) -> None:
    bucket.put("text.tflite", b"\x1c\0\0\0TFL3 some text")
    code = "from functions_framework import create_app; create_app('run', 'main.py')"
    env = {**os.environ, "MODEL_URI": f"gs://{BUCKET}/text.tflite"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    entry, line = done.stderr.strip().splitlines()
    assert json.loads(entry)["severity"] == "CRITICAL"
    assert "truncated or damaged" in line
