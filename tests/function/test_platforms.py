"""What the platforms in front of the function add to a request, and what the server refuses before the function."""

from __future__ import annotations

import json
from http.client import HTTPResponse

import httpx
import pytest

from tests.support.raw_http import connect

NAMES = ["key", "api_key", "access_token", "quotaUser", "prettyPrint", "alt", "token", "__GCP_CloudEventsMode", "code"]


@pytest.mark.parametrize("name", NAMES)
def test_query_parameters_of_platforms_are_ignored(
    http: httpx.Client, sample: bytes, sample_mask: bytes, name: str
) -> None:
    assert http.post("/", params={name: "AIza-x"}, content=sample).content == sample_mask
    assert http.post("/", params=[(name, "a"), (name, "b")], content=sample).content == sample_mask


def test_an_unknown_option_is_still_rejected(http: httpx.Client, sample: bytes) -> None:
    assert http.post("/?ouptut=cutout&key=x", content=sample).json()["code"] == "bad-option"


def test_get_lists_the_limits_by_format(http: httpx.Client) -> None:
    limits = http.get("/").json()["limits"]
    assert limits["upload_bytes"] == limits["response_bytes"] == 32 * 2**20
    assert limits["pixels_by_format"]["JPEG"] == limits["pixels_by_format"]["PNG"] == limits["pixels"] == 100_000_000
    assert limits["pixels_by_format"]["WEBP"] == limits["pixels_by_format"]["AVIF"] == 50_000_000


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        ("GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + "a" * 20_000 + "\r\n", 431, "request-header-fields-too-large"),
        ("GET / HTTP/1.1\r\nHost: x\r\n" + "X: y\r\n" * 200, 431, "request-header-fields-too-large"),
        ("POST / HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\nContent-Length: 0\r\n", 417, "expectation-failed"),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n", 400, "bad-request"),
        ("nonsense\r\n", 400, "bad-request"),
    ],
)
def test_a_request_that_the_server_refuses_gets_a_problem_too(server: str, head: str, status: int, code: str) -> None:
    with connect(httpx.URL(server).port or 0) as connection:
        connection.sendall(head.encode() + b"\r\n")
        response = HTTPResponse(connection)
        response.begin()
        problem = json.loads(response.read())
    assert response.status == status
    assert response.getheader("Content-Type") == "application/problem+json"
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"]
