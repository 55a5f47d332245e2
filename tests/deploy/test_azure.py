"""Azure Functions: the bundle's function_app.py, called through the converters of azure-functions."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from client import Client
from tests.support.function_process import free_port
from tests.support.paths import ROOT, SAMPLE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive that a user builds, unzipped as Azure does."""
    folder = tmp_path_factory.mktemp("azure")
    command = [sys.executable, "-m", "deploy.bundle", "azure", "--out", str(folder / "azure.zip")]
    subprocess.run(command, cwd=ROOT, check=True)
    with zipfile.ZipFile(folder / "azure.zip") as archive:
        archive.extractall(folder / "wwwroot")
    return folder / "wwwroot"


@contextmanager
def hosted(folder: Path, **env: str) -> Iterator[str]:
    """Run the bundle in a child process, and yield its URL."""
    port = free_port()
    command = [sys.executable, "-m", "tests.support.azure_host", str(folder), str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(url, process)
        yield url
    finally:
        process.kill()
        process.wait()


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            httpx.get(f"{url}/health", timeout=5)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("no answer within 30 s")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The function on Azure."""
    with hosted(folder) as url:
        yield url


def test_the_mask_is_that_of_the_local_function(url: str, sample: bytes, sample_mask: bytes) -> None:
    response = httpx.post(url, content=sample, headers={"Content-Type": "image/jpeg"})
    assert (response.status_code, response.content) == (200, sample_mask)
    assert response.headers["content-type"] == "image/png"


def test_every_route_answers_as_the_function_does(url: str, http: httpx.Client, sample: bytes) -> None:
    for path in ("/?output=cutout", "/?output=json", "/?threshold=2", "/predict", "/none"):
        ours, theirs = httpx.post(url + path, content=sample), http.post(path, content=sample)
        assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content), path
    for path in ("/", "/health", "/openapi.json", "/sample.jpg"):
        assert httpx.get(url + path).status_code == 200
    assert httpx.get(url + "/sample.jpg").content == sample


def test_forms_and_json_pass(url: str, sample: bytes, sample_mask: bytes) -> None:
    assert httpx.post(url, files={"file": ("a.jpg", sample)}).content == sample_mask
    body = {"image": base64.b64encode(sample).decode()}
    assert httpx.post(url, json=body).content == sample_mask


def test_the_client_sends_the_key_in_the_url(url: str, sample_mask: bytes) -> None:
    with Client(f"{url}/?code=KEY") as silhouette:
        assert silhouette.segment(SAMPLE).png == sample_mask


def test_a_status_of_503_keeps_its_code(folder: Path, sample: bytes) -> None:
    env = {
        "MODEL_URI": "gs://models/none.tflite",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9",
        "MODEL_FETCH_TIMEOUT_S": "1",
    }
    with hosted(folder, **env) as url:
        response = httpx.post(url, content=sample)
    assert (response.status_code, response.json()["code"]) == (503, "model-not-found")
    assert response.headers["retry-after"] == "2"


def test_the_bundle_has_every_package_that_azure_installs(folder: Path) -> None:
    requirements = (folder / "requirements.txt").read_text()
    for name in ("functions-framework==", "pillow==", "azure-functions=="):
        assert f"\n{name}" in requirements
    assert json.loads((folder / "host.json").read_text())["version"] == "2.0"
