from __future__ import annotations

import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import flask
import httpx
import pytest
from functions_framework import create_app
from PIL import Image

from model import errors
from tests.support.function_process import serving
from tests.support.images import encode_image
from tests.support.paths import ROOT
from tests.support.responses import image_of, problem_of


def test_invalid_requests_get_their_status_and_code(http: httpx.Client, sample: bytes) -> None:
    huge = bytearray(encode_image(Image.new("1", (8, 8)), "BMP"))
    huge[18:26] = (60_000).to_bytes(4, "little") * 2
    cases = [
        (http.post("/", content=b""), 400, "empty-body"),
        (http.post("/", files={"picture": sample}), 400, "empty-body"),
        (http.post("/", files={"file": b""}), 400, "empty-body"),
        (http.post("/", content=b"--x", headers={"Content-Type": "multipart/form-data"}), 400, "empty-body"),
        (http.post("/", content=b"just some text"), 415, "not-a-photo"),
        (http.post("/", content=sample[: len(sample) // 2]), 422, "broken-photo"),
        (http.post("/", content=bytes(huge) + bytes(100_000)), 413, "photo-too-large"),
        (http.post("/", content=bytes(40_000_000)), 413, "photo-too-large"),
        (http.post("/", files={"file": bytes(40_000_000)}), 413, "photo-too-large"),
        (http.post("/?colour=red", content=sample), 400, "bad-option"),
        (http.post("/?output=video", content=sample), 400, "bad-option"),
        (http.post("/?threshold=high", content=sample), 400, "bad-option"),
        (http.post("/?threshold=nan", content=sample), 400, "bad-option"),
        (http.post("/?class=horse", content=sample), 400, "bad-option"),
        (http.post("/predict", content=b"just some text"), 415, "not-a-photo"),
        (http.get("/predict"), 405, "method-not-allowed"),
        (http.put("/", content=sample), 405, "method-not-allowed"),
        (http.get("/nowhere"), 404, "not-found"),
        (http.get("/favicon.ico"), 404, "not-found"),
    ]
    for response, status, code in cases:
        assert problem_of(response) == (status, code)
    assert http.put("/", content=sample).headers["allow"] == "GET, POST"
    assert image_of(http.post("/", content=sample)).size == (451, 300)


def test_the_limits_are_read_from_the_environment(sample: bytes) -> None:
    limits = {"MAX_UPLOAD_BYTES": str(len(sample)), "MAX_PIXELS": str(451 * 300)}
    with serving(**limits) as url, httpx.Client(base_url=url, timeout=60) as client:
        assert client.post("/", content=sample).status_code == 200
        assert problem_of(client.post("/", content=sample + b"x")) == (413, "photo-too-large")
        assert problem_of(client.post("/", content=iter([sample, b"x"]))) == (413, "photo-too-large")
        limits = client.get("/").json()["limits"]
        assert limits.pop("pixels_by_format")["JPEG"] == 451 * 300
        assert limits == {"upload_bytes": len(sample), "pixels": 451 * 300, "response_bytes": 32 * 2**20}


def test_a_request_that_gets_no_interpreter_in_time_gets_503_with_retry_after(sample: bytes) -> None:
    with serving(INTERPRETERS="1", WAIT_LIMIT_S="0.001") as url, httpx.Client(base_url=url, timeout=60) as client:
        large = encode_image(Image.open(io.BytesIO(sample)).resize((4000, 3000)), "PNG")
        with ThreadPoolExecutor(8) as pool:
            responses = list(pool.map(lambda _: client.post("/", content=large), range(8)))
        refused = [response for response in responses if response.status_code != 200]
        assert len(refused) < 8
        assert refused
        assert all(problem_of(response) == (503, "busy") for response in refused)
        assert all(int(response.headers["retry-after"]) >= 1 for response in refused)


def test_every_response_has_the_security_headers(http: httpx.Client, sample: bytes) -> None:
    responses = (
        http.post("/", content=sample),
        http.post("/", content=b"x"),
        http.get("/nowhere"),
        http.get("/favicon.ico"),
    )
    for response in responses:
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


def test_an_unexpected_error_is_answered_without_internals_and_logged(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_: flask.Request) -> flask.Response:
        raise ValueError("internals")

    client = create_app("run", str(ROOT / "main.py")).test_client()
    monkeypatch.setitem(sys.modules["main"].ROUTES, ("/health", "GET"), fail)
    capfd.readouterr()  # discard what the start has printed
    response = client.get("/health")
    assert (response.status_code, response.get_json()["code"]) == (500, "internal-error")
    assert "internals" not in response.get_data(as_text=True)
    error, request = (json.loads(line) for line in capfd.readouterr().err.splitlines())
    assert "ValueError: internals" in error["message"]
    assert request["code"] == "internal-error"


def test_every_error_without_subclasses_has_a_status() -> None:
    import main

    def leaves(error: type[Exception]) -> list[type[Exception]]:
        return [leaf for subclass in error.__subclasses__() for leaf in leaves(subclass)] or [error]

    assert set(leaves(errors.SilhouetteError)) == main.STATUS.keys()
