"""Requests in JSON: the photo in base64 or as a data URL, the options as keys."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from tests.support.responses import image_of


def post(http: httpx.Client, content: Any) -> httpx.Response:
    body = content if isinstance(content, str | bytes) else json.dumps(content)
    return http.post("/", content=body, headers={"Content-Type": "application/json"})


@pytest.fixture
def encoded(sample: bytes) -> str:
    return base64.b64encode(sample).decode()


def test_base64_in_all_its_forms_is_the_photo(http: httpx.Client, encoded: str, sample_mask: bytes) -> None:
    lines = "\r\n".join(encoded[i : i + 76] for i in range(0, len(encoded), 76))
    url_safe = encoded.translate({ord("+"): "-", ord("/"): "_"})
    data_url = f"data:image/jpeg;base64,{encoded}"
    for text in (encoded, lines, url_safe, encoded.rstrip("="), data_url, data_url.replace("image/jpeg", "")):
        response = post(http, {"image": text})
        assert response.status_code == 200, response.text
        assert response.content == sample_mask
    assert post(http, {"file": encoded}).content == sample_mask


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/vnd.api+json"])
def test_every_json_media_type_is_json(http: httpx.Client, encoded: str, sample_mask: bytes, content_type: str) -> None:
    body = json.dumps({"image": encoded})
    assert http.post("/", content=body, headers={"Content-Type": content_type}).content == sample_mask


def test_keys_are_options(http: httpx.Client, encoded: str, sample: bytes) -> None:
    options = {"output": "cutout", "threshold": 0.7, "size": "model", "class": "pet", "format": None}
    response = post(http, {"image": encoded, **options})
    expected = http.post("/?output=cutout&threshold=0.7&size=model&class=pet", content=sample)
    assert response.content == expected.content
    assert image_of(response).size == (256, 256)


def test_predict_reads_json_too(http: httpx.Client, encoded: str, sample: bytes) -> None:
    assert http.post("/predict", json={"image": encoded}).json() == http.post("/predict", content=sample).json()


def test_a_photo_with_the_media_type_of_json_is_still_a_photo(
    http: httpx.Client, sample: bytes, sample_mask: bytes
) -> None:
    assert post(http, sample).content == sample_mask


@pytest.mark.parametrize("key", ["url", "image_url", "uri", "imageUri", "href", "URL"])
def test_an_address_is_refused_with_the_reason(http: httpx.Client, key: str) -> None:
    response = post(http, {key: "https://example.com/cat.jpg", "image": ""})
    assert response.status_code == 400
    assert "fetches no addresses" in response.json()["detail"]


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("", "empty-body", "no photo"),
        ({}, "empty-body", "no photo"),
        ({"output": "mask"}, "empty-body", "no photo"),
        ({"image": ""}, "empty-body", "no photo"),
        ('{"image": ', "bad-request", "not valid JSON"),
        ("[" * 60, "bad-request", "not valid JSON"),
        ("[" * 100_000, "bad-request", "more than 100 values"),
        ('{"image": "' + "x" * 20 + '", "a": [' + "1," * 100_000 + "1]}", "bad-request", "more than 100 values"),
        ([], "bad-request", "not an object"),
        ("null", "bad-request", "not an object"),
        ({"image": 5}, "bad-request", "must be a string"),
        ({"image": ["x"]}, "bad-request", "must be a string"),
        ({"image": "not base64!"}, "bad-request", "not valid base64"),
        ({"image": "a"}, "bad-request", "not valid base64"),
        ({"image": "\u00e9\u00e9\u00e9\u00e9"}, "bad-request", "not valid base64"),
        ({"image": "AAAA=AAA"}, "bad-request", "not valid base64"),
        ({"image": "gs://bucket/cat.jpg"}, "bad-request", "fetches no addresses"),
        ({"image": "data:image/svg+xml,<svg/>"}, "bad-request", "without ;base64"),
        ({"image": "AAAA", "output": ["mask"]}, "bad-option", "must be a string or a number"),
        ({"image": "AAAA", "threshold": True}, "bad-option", "must be a string or a number"),
        ({"image": "AAAA", "outputs": "mask"}, "bad-option", "unknown option 'outputs'"),
    ],
)
def test_what_is_wrong_is_named(http: httpx.Client, content: Any, code: str, words: str) -> None:
    response = post(http, content)
    assert (response.status_code, response.json()["code"]) == (400, code), response.text
    assert words in response.json()["detail"]


def test_an_option_in_the_query_and_another_value_in_the_body_are_refused(http: httpx.Client, encoded: str) -> None:
    response = http.post("/?output=mask", json={"image": encoded, "output": "cutout"})
    assert (response.status_code, response.json()["code"]) == (400, "bad-option")


def test_what_is_no_photo_in_base64_is_rejected_as_such(http: httpx.Client) -> None:
    assert post(http, {"image": base64.b64encode(b"hello").decode()}).status_code == 415
