"""Options as form fields, and forms that are not what their Content-Type says."""

from __future__ import annotations

import httpx
import pytest

from tests.support.responses import image_of

FILE = "photo.jpg"


def post(http: httpx.Client, sample: bytes, fields: dict[str, str], query: str = "") -> httpx.Response:
    return http.post(f"/{query}", files={"file": (FILE, sample)}, data=fields)


def detail(response: httpx.Response, status: int, code: str) -> str:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    return str(response.json()["detail"])


@pytest.mark.parametrize(
    "options",
    [
        {"output": "cutout"},
        {"output": "overlay", "size": "model"},
        {"output": "json", "threshold": "0.7"},
        {"class": "background"},
        {"output": "cutout", "format": "webp"},
    ],
)
def test_form_fields_are_options_like_those_of_the_query(
    http: httpx.Client, sample: bytes, options: dict[str, str]
) -> None:
    expected = http.post("/", params=options, content=sample)
    assert expected.status_code == 200
    response = post(http, sample, options)
    assert response.content == expected.content
    assert response.headers["content-type"] == expected.headers["content-type"]


def test_options_may_come_after_the_photo_and_in_both_places(http: httpx.Client, sample: bytes) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + sample + b"\r\n"
        b'--x\r\nContent-Disposition: form-data; name="output"\r\n\r\ncutout\r\n--x--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert image_of(http.post("/?size=model&output=cutout", content=body, headers=headers)).size == (256, 256)


@pytest.mark.parametrize(
    ("query", "fields"),
    [("?output=mask", {"output": "cutout"}), ("?threshold=0.5", {"threshold": "0.6"}), ("?size=model&size=photo", {})],
)
def test_an_option_that_is_given_twice_with_different_values_is_rejected(
    http: httpx.Client, sample: bytes, query: str, fields: dict[str, str]
) -> None:
    assert "given twice" in detail(post(http, sample, fields, query), 400, "bad-option")


def test_an_invalid_value_in_a_field_is_rejected_and_an_empty_one_is_no_value(
    http: httpx.Client, sample: bytes, sample_mask: bytes
) -> None:
    assert "'video'" in detail(post(http, sample, {"output": "video"}), 400, "bad-option")
    assert post(http, sample, {"output": "", "threshold": ""}).content == sample_mask


def test_fields_that_upload_widgets_add_are_ignored(http: httpx.Client, sample: bytes, sample_mask: bytes) -> None:
    fields = {"name": "a.jpg", "type": "image/jpeg", "dzuuid": "1", "authenticity_token": "t", "relativePath": "null"}
    assert post(http, sample, fields).content == sample_mask


def test_an_address_in_a_field_is_refused_with_the_reason(http: httpx.Client) -> None:
    fields = {"image": (None, b"https://example.com/cat.jpg")}
    assert "fetches no addresses" in detail(http.post("/", files=fields), 400, "empty-body")


@pytest.mark.parametrize("name", ["file", "image"])
def test_text_where_a_file_belongs_is_named(http: httpx.Client, name: str) -> None:
    words = detail(http.post("/", files={name: (None, b"photo.jpg")}), 400, "empty-body")
    assert f"{name} is text, not a file" in words
    assert f"{name}=@photo.jpg" in words


@pytest.mark.parametrize(
    ("content_type", "words"),
    [
        ("multipart/form-data", "no boundary"),
        ("multipart/form-data; charset=utf-8", "no boundary"),
        ('multipart/form-data; boundary=""', "no boundary"),
        ("multipart/form-data; boundary=other", "not a form with the boundary"),
    ],
)
def test_a_form_without_its_boundary_is_named(http: httpx.Client, sample: bytes, content_type: str, words: str) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + sample + b"\r\n--x--\r\n"
    response = http.post("/", content=form, headers={"Content-Type": content_type})
    assert words in detail(response, 400, "empty-body")
