"""AWS Lambda: the bundle's handler under AWS's own runtime client, behind each kind of front door."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from client import Client
from deploy import bundle
from model.tflite.bundled import BUNDLED_MODEL
from tests.support.images import encode_image
from tests.support.lambda_service import (
    LambdaService,
    function_url,
    function_url_event,
    response_body,
    rest_api_event,
    run_lambda,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="awslambdaric runs on Linux only")

Event = Callable[[str, str, dict[str, str], bytes], dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle without its packages, instead of which those of the tests are used."""
    folder = tmp_path_factory.mktemp("lambda")
    bundle.stage_lambda(folder)
    shutil.copy(BUNDLED_MODEL, folder / "model/weights")  # that of the runtime of these tests, if it is tflite-runtime
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[LambdaService]:
    """The function under awslambdaric."""
    with run_lambda(folder) as service:
        yield service


@pytest.fixture(scope="module")
def url(service: LambdaService) -> Iterator[str]:
    """Its function URL."""
    with function_url(service) as url:
        yield url


@pytest.mark.parametrize("event", [function_url_event, rest_api_event], ids=["format 2.0", "format 1.0"])
def test_both_formats_of_events_lead_to_the_same_mask(
    event: Event, service: LambdaService, sample: bytes, sample_mask: bytes
) -> None:
    result = service.invoke(event("POST", "/", {"Content-Type": "image/jpeg", "Host": "example.com"}, sample))
    assert result["statusCode"] == 200
    assert response_body(result) == sample_mask


@pytest.mark.parametrize("event", [function_url_event, rest_api_event], ids=["format 2.0", "format 1.0"])
def test_options_forms_and_errors_pass_in_both_formats(event: Event, service: LambdaService, sample: bytes) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + sample + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Host": "example.com"}
    result = service.invoke(event("POST", "/?output=json&size=model", headers, form))
    assert json.loads(response_body(result))["classes"]
    result = service.invoke(event("POST", "/?sise=model", {"Content-Type": "image/jpeg"}, sample))
    assert (result["statusCode"], json.loads(response_body(result))["code"]) == (400, "bad-option")


def test_a_function_url_answers_as_the_function_does(url: str, http: httpx.Client, sample: bytes) -> None:
    for path in ("/", "/?output=cutout", "/?output=json", "/?threshold=2", "/predict"):
        ours, theirs = client_post(url + path, sample), http.post(path, content=sample)
        assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content), path
        assert ours.headers["content-type"] == theirs.headers["content-type"]
    for path in ("/health", "/openapi.json", "/sample.jpg"):
        assert httpx.get(url + path).content == http.get(path).content
    assert httpx.get(url, headers={"Accept": "text/html"}).text == http.get("/", headers={"Accept": "text/html"}).text


def client_post(url: str, photo: bytes) -> httpx.Response:
    """Post a JPEG."""
    return httpx.post(url, content=photo, headers={"Content-Type": "image/jpeg"}, timeout=60)


def test_a_photo_over_the_limit_of_lambda_is_scaled_down_by_the_client(url: str, tmp_path: Path) -> None:
    photo = tmp_path / "large.png"
    photo.write_bytes(encode_image(Image.effect_noise((3000, 2200), 90), "PNG"))
    assert photo.stat().st_size > 5_500_000
    with Client(url) as silhouette:
        mask = silhouette.segment(photo)
    assert mask.array.shape == (2200, 3000)


def test_an_answer_over_the_limit_of_lambda_is_refused_with_the_option_that_helps(url: str) -> None:
    channels = [Image.effect_noise((1600, 1200), 90) for _ in range(3)]
    photo = encode_image(Image.merge("RGB", channels), "JPEG", quality=70)
    refused = client_post(f"{url}/?output=overlay", photo)
    assert (refused.status_code, refused.json()["code"]) == (413, "response-too-large")
    assert "format=jpeg" in refused.json()["detail"]
    assert client_post(f"{url}/?output=overlay&format=jpeg", photo).status_code == 200
    limits = httpx.get(url, headers={"Accept": "application/json"}).json()["limits"]
    assert (limits["upload_bytes"], limits["response_bytes"]) == (4_600_000, 4_600_000)


def test_a_model_that_cannot_be_served_fails_the_start(folder: Path) -> None:
    env = {**os.environ, "MODEL_URI": "none.tflite"}
    done = subprocess.run([sys.executable, "-c", "import handler"], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("silhouette cannot start: there is no model at none.tflite\n")


def test_the_archive_depends_on_its_files_alone(folder: Path, tmp_path: Path) -> None:
    archives = [tmp_path / "1.zip", tmp_path / "2.zip"]
    for archive in archives:
        bundle.write_zip(folder, archive)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as archive_file:
        assert {entry.external_attr >> 16 for entry in archive_file.infolist()} == {0o100644}


def test_the_size_limits_of_lambda_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    bundle.check_size(50 * 2**20, 250 * 2**20)
    assert capsys.readouterr().out == ""
    bundle.check_size(50 * 2**20 + 1, 250 * 2**20)
    assert "only sam, or an upload through S3" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="more than Lambda's limit"):
        bundle.check_size(0, 250 * 2**20 + 1)


def test_without_uv_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="python -m pip install uv"):
        bundle.install_packages(tmp_path, "x86_64")
