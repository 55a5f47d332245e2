from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path

import pytest

from model.errors import ModelNotFound, ModelRejected
from model.gcs import client as gcs_client
from model.gcs import download
from tests.support import gcs_faults
from tests.support.gcs_emulator import MODEL_BUCKET, GcsEmulator
from tests.support.paths import MODELS

MODEL = (MODELS / "served" / "logit.tflite").read_bytes() + bytes(300_000)
URI = f"gs://{MODEL_BUCKET}/red.tflite"
OBJECT = download.GcsUri(MODEL_BUCKET, "red.tflite")


@pytest.fixture
def bucket(gcs: GcsEmulator) -> GcsEmulator:
    """Cloud Storage with one model."""
    gcs.put("red.tflite", MODEL)
    return gcs


def fetch(uri: str = URI, timeout_s: float = 30, sha256: str = "") -> download.ModelFile:
    return download.start(uri, sha256, timeout_s)()


def test_a_downloaded_model_is_complete_and_has_its_generation_and_checksum(bucket: GcsEmulator) -> None:
    generation = bucket.put("folder/a #1.tflite", MODEL)
    model_file = fetch(f"gs://{MODEL_BUCKET}/folder/a #1.tflite", sha256=hashlib.sha256(MODEL).hexdigest())
    assert model_file.path.read_bytes() == MODEL
    assert model_file.generation == generation
    assert model_file.sha256 == hashlib.sha256(MODEL).hexdigest()
    assert [file.name for file in model_file.path.parent.iterdir()] == [model_file.path.name]
    assert fetch(f"{URI}#{fetch().generation}").generation == fetch().generation


def test_a_generation_that_does_not_exist_is_reported(bucket: GcsEmulator) -> None:
    with pytest.raises(ModelNotFound, match="no such bucket, object or generation"):
        fetch(f"{URI}#12345")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(403, "no permission to read it"), (404, "no such bucket, object or generation")],
)
def test_a_permanent_error_is_reported_without_retries(bucket: GcsEmulator, fault: int, reason: str) -> None:
    bucket.faults["look"] = [gcs_faults.fail_with(fault)]
    start = time.monotonic()
    with pytest.raises(ModelNotFound, match=reason):
        fetch()
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("uri", [f"gs://{MODEL_BUCKET}/none.tflite", "gs://nowhere/red.tflite"])
def test_a_missing_bucket_or_object_is_reported(bucket: GcsEmulator, uri: str) -> None:
    with pytest.raises(ModelNotFound, match="no such bucket, object or generation"):
        fetch(uri)


def test_transient_errors_are_retried(bucket: GcsEmulator) -> None:
    bucket.faults["look"] = [gcs_faults.fail_with(503), gcs_faults.fail_with(429)]
    bucket.faults["read"] = [gcs_faults.fail_with(503), gcs_faults.fail_with(500)]
    assert fetch().path.read_bytes() == MODEL


def test_an_interrupted_download_is_resumed(bucket: GcsEmulator) -> None:
    bucket.faults["read"] = [gcs_faults.truncate]
    assert fetch().path.read_bytes() == MODEL
    assert bucket.range_headers[1].startswith("bytes=")


@pytest.mark.parametrize("fault", [gcs_faults.corrupt, gcs_faults.truncate_and_corrupt])
def test_a_corrupted_download_is_repeated(bucket: GcsEmulator, fault: gcs_faults.Fault) -> None:
    bucket.faults["read"] = [fault]
    assert fetch().path.read_bytes() == MODEL


def test_a_download_that_is_always_corrupted_fails(bucket: GcsEmulator) -> None:
    bucket.faults["read"], bucket.repeat_last_fault = [gcs_faults.corrupt], True
    with pytest.raises(ModelNotFound, match="the checksum of the download differs"):
        fetch(timeout_s=3)


def test_a_download_that_is_too_slow_ends_at_the_timeout(bucket: GcsEmulator) -> None:
    bucket.faults["read"] = [gcs_faults.send_slowly]
    start = time.monotonic()
    with pytest.raises(ModelNotFound, match=r"within 2 s|too slow"):
        fetch(timeout_s=2)
    assert time.monotonic() - start < 5


def test_a_downloaded_model_with_another_checksum_is_rejected(bucket: GcsEmulator) -> None:
    with pytest.raises(ModelRejected, match="MODEL_SHA256"):
        fetch(sha256="0" * 64)
    assert len(bucket.range_headers) == 1  # it is not downloaded again


def test_a_full_disk_is_reported(bucket: GcsEmulator, tmp_path: Path) -> None:
    (tmp_path / "partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as error:
        download.download_model(OBJECT, tmp_path, "", time.monotonic() + 20)
    assert gcs_client.describe_error(error.value) == "the disk is full"
    assert not (tmp_path / "model.tflite").exists()


def test_a_failed_download_leaves_no_files(
    bucket: GcsEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bucket.faults["read"] = [gcs_faults.fail_with(404)]
    with pytest.raises(ModelNotFound):
        fetch()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_download_process_is_reported(bucket: GcsEmulator) -> None:
    bucket.faults["read"] = [gcs_faults.send_slowly]
    model_download = download.ModelDownload(OBJECT, "", 30)
    model_download._process.kill()
    with pytest.raises(ModelNotFound, match="the download process ended with exit code -9"):
        model_download.wait()


@pytest.mark.parametrize(
    ("uri", "parsed"),
    [
        ("model.tflite", None),
        ("gs://bucket/folder/a.tflite", download.GcsUri("bucket", "folder/a.tflite")),
        ("gs://bucket/a #1.tflite", download.GcsUri("bucket", "a #1.tflite")),
        ("gs://bucket/a.tflite#12", download.GcsUri("bucket", "a.tflite", 12)),
    ],
)
def test_a_uri_is_parsed(uri: str, parsed: download.GcsUri | None) -> None:
    assert download.parse_gcs_uri(uri) == parsed


@pytest.mark.parametrize(
    "uri", ["s3://bucket/red.tflite", "gs://bucket", "gs:///red.tflite", "https://host/red.tflite"]
)
def test_a_uri_without_an_object_is_rejected(uri: str) -> None:
    with pytest.raises(ModelRejected, match="MODEL_URI must be"):
        download.parse_gcs_uri(uri)


def test_a_local_model_with_another_checksum_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "red.tflite"
    file.write_bytes(MODEL)
    assert download.start(str(file), hashlib.sha256(MODEL).hexdigest(), 1)().path == file
    with pytest.raises(ModelRejected, match="MODEL_SHA256"):
        download.start(str(file), "0" * 64, 1)()
