from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from model.errors import ModelError, ModelNotFound, ModelRejected
from model.serving import model_loader
from model.serving.model_loader import ModelLoader
from model.serving.settings import Settings
from model.tflite import card as cards
from model.tflite.card import ModelCard
from tests.support.function_process import serving
from tests.support.gcs_emulator import MODEL_BUCKET, GcsEmulator
from tests.support.paths import MODELS, ROOT

MODEL = (MODELS / "served" / "logit.tflite").read_bytes()


def test_an_instance_keeps_its_model_when_a_newer_version_is_stored(gcs: GcsEmulator, sample: bytes) -> None:
    generation = gcs.put("red.tflite", MODEL)
    with serving(MODEL_URI=f"gs://{MODEL_BUCKET}/red.tflite") as url, httpx.Client(base_url=url, timeout=60) as client:
        gcs.put("red.tflite", MODEL + b"newer")
        mask = client.post("/", content=sample)
        assert mask.status_code == 200
        assert mask.headers["x-model"].startswith(f"model/{generation}; sha256=")
        description = client.get("/").json()
        assert (description["version"], description["sha256"]) == (generation, hashlib.sha256(MODEL).hexdigest())
        assert len(gcs.range_headers) == 1


def test_requests_get_503_until_the_model_can_be_downloaded(gcs: GcsEmulator, sample: bytes) -> None:
    with serving(MODEL_URI=f"gs://{MODEL_BUCKET}/late.tflite") as url, httpx.Client(base_url=url, timeout=10) as client:
        for method, path in (("POST", "/"), ("GET", "/health"), ("GET", "/")):
            start = time.monotonic()
            response = client.request(method, path, content=sample if method == "POST" else None)
            assert time.monotonic() - start < 2
            assert (response.status_code, response.json()["code"]) == (503, "model-not-found")
            assert int(response.headers["retry-after"]) >= 1
            assert MODEL_BUCKET not in response.text
        gcs.put("late.tflite", MODEL)
        deadline = time.monotonic() + 40
        while client.post("/", content=sample).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert client.get("/health").status_code == 200


def test_a_missing_local_model_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="there is no model at"):
        ModelLoader(Settings(model_uri=str(tmp_path / "none.tflite")))


def test_a_normalization_that_is_assumed_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(shutil.copy(MODELS / "served" / "probability.tflite", tmp_path))
    cards.embed(file, ModelCard(name="partial"), ["name"])
    ModelLoader(Settings(model_uri=str(file)))
    captured = capsys.readouterr()
    assert "does not state mean and std, which are assumed" in captured.out + captured.err


def test_a_retry_that_downloads_an_invalid_model_is_reported(gcs: GcsEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_loader, "FIRST_PAUSE_S", 0.01)
    loader = ModelLoader(Settings(model_uri=f"gs://{MODEL_BUCKET}/late.tflite"))
    assert loader.loaded is None
    gcs.put("late.tflite", b"\x1c\0\0\0TFL3 some text")
    deadline = time.monotonic() + 30
    error: ModelError = ModelNotFound()
    while isinstance(error, ModelNotFound):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        with pytest.raises(ModelError) as raised:
            loader.segmenter()
        error = raised.value
    assert isinstance(error, ModelRejected)
    assert "log" in str(error)


def test_a_rejected_model_is_not_downloaded_again(gcs: GcsEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_loader, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(model_loader, "LONGEST_PAUSE_S", 0.01)
    loader = ModelLoader(Settings(model_uri=f"gs://{MODEL_BUCKET}/late.tflite", model_sha256="0" * 64))
    gcs.put("late.tflite", MODEL)
    error: ModelError = ModelNotFound()
    deadline = time.monotonic() + 30
    while isinstance(error, ModelNotFound):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        with pytest.raises(ModelError) as raised:
            loader.segmenter()
        error = raised.value
    downloads = len(gcs.range_headers)
    for _ in range(10):
        time.sleep(0.05)
        with pytest.raises(ModelRejected):
            loader.segmenter()
    assert len(gcs.range_headers) == downloads == 1


@pytest.mark.parametrize("content", [b"\x1c\0\0\0TFL3 some text", MODEL])
def test_a_downloaded_file_that_is_not_the_model_stops_the_start(gcs: GcsEmulator, content: bytes) -> None:
    gcs.put("text.tflite", content)
    code = "from functions_framework import create_app; create_app('run', 'main.py')"
    env = {**os.environ, "MODEL_URI": f"gs://{MODEL_BUCKET}/text.tflite"}
    if content is MODEL:
        env["MODEL_SHA256"] = "0" * 64
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    entry, line = done.stderr.strip().splitlines()
    assert json.loads(entry)["severity"] == "CRITICAL"
    assert ("MODEL_SHA256" if content is MODEL else "truncated or damaged") in line


def test_the_modules_for_a_photo_are_imported_while_the_model_is_fetched() -> None:
    code = """
import sys, time
from model.gcs import download
from model.serving.model_loader import ModelLoader
from model.serving.settings import Settings

start = download.start

def late(*args):
    get_file = start(*args)
    def wait():
        deadline = time.monotonic() + 20
        while "model.segmenter" not in sys.modules and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "model.segmenter" in sys.modules
        return get_file()
    return wait

download.start = late
assert ModelLoader(Settings.from_env()).loaded
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
