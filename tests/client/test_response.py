from __future__ import annotations

import pytest

from client import (
    BadResponse,
    Client,
    NotAllowed,
    ServerError,
)
from client.response import parse_server_timing
from tests.support.fake_function import Failure, FakeFunction
from tests.support.images import random_image

PHOTO = random_image(7)


def test_a_problem_json_response_becomes_a_server_error(client: Client, fake: FakeFunction) -> None:
    with pytest.raises(ServerError, match="not a supported image") as raised:
        client.segment(b"only text")
    assert (raised.value.status, raised.value.code) == (415, "not-a-photo")
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("response", "error_class", "message"),
    [
        (
            Failure(403, media_type="text/html", body=b"<h1>Forbidden"),
            NotAllowed,
            "403 Forbidden; a valid identity token",
        ),
        (Failure(302, headers={"Location": "https://x.test/"}, media_type="text/html"), ServerError, "https://x.test/"),
        (Failure(500, media_type="application/json", body=b"[1]"), ServerError, "500 Internal Server Error"),
        (Failure(500, media_type="application/problem+json", body=b"{"), ServerError, "500 Internal Server Error"),
    ],
)
def test_an_error_response_without_problem_json_is_described(
    client: Client, fake: FakeFunction, response: Failure, error_class: type[ServerError], message: str
) -> None:
    fake.fail = lambda number, request: response
    with pytest.raises(error_class, match=message):
        client.segment(PHOTO)


def test_the_detail_of_a_server_error_is_one_printable_line_of_limited_length(
    client: Client, fake: FakeFunction
) -> None:
    fake.fail = lambda number, request: Failure(400, detail="first\nsecond \x1b[31mred" + "x" * 9999)
    with pytest.raises(ServerError) as raised:
        client.segment(PHOTO)
    assert raised.value.detail.startswith("first second [31mred")
    assert len(raised.value.detail) <= 300


@pytest.mark.parametrize("body", [b"{", b"[1]"])
def test_a_model_description_that_is_not_a_json_object_is_rejected(
    client: Client, fake: FakeFunction, body: bytes
) -> None:
    fake.fail = lambda number, request: Failure(200, media_type="application/json", body=body)
    with pytest.raises(BadResponse, match="model description is not"):
        client.model()


def test_an_error_of_the_model_description_is_a_server_error(client: Client, fake: FakeFunction) -> None:
    fake.fail = lambda number, request: Failure(500, "internal-error", "see the log")
    with pytest.raises(ServerError, match="see the log"):
        client.model()


@pytest.mark.parametrize(
    ("header", "stages"),
    [
        ("decode;dur=3.1, infer;dur=15", {"decode": 3.1, "infer": 15.0}),
        ('cache;desc="hit";dur="2"', {"cache": 2.0}),
        ("decode;dur=fast, infer", {}),
        ("", {}),
    ],
)
def test_malformed_entries_of_server_timing_are_ignored(header: str, stages: dict[str, float]) -> None:
    assert parse_server_timing(header) == stages
