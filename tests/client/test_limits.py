"""Photos that exceed the limits of a server, which `GET /` states: of pixels and of bytes."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from client import AsyncClient, Client, ServerError
from client.upload import LARGEST_BODY_BYTES, Limits, parse_limits
from tests.support.fake_function import DESCRIPTION, Failure, FakeFunction, ReceivedRequest
from tests.support.images import encode_image

WIDTH, HEIGHT = 600, 400


@pytest.fixture
def limited(fake: FakeFunction, monkeypatch: pytest.MonkeyPatch) -> FakeFunction:
    """A fake that refuses photos of more than 100,000 pixels, of 50,000 as WebP, or of more than 60,000 bytes."""
    limits = {"upload_bytes": 60_000, "pixels": 100_000, "pixels_by_format": {"PNG": 100_000, "WEBP": 50_000}}
    monkeypatch.setitem(DESCRIPTION, "limits", limits)

    def fail(number: int, request: ReceivedRequest) -> Failure | None:
        if request.method == "GET":
            return None
        with Image.open(io.BytesIO(request.body)) as image:
            is_too_large = image.width * image.height > (50_000 if image.format == "WEBP" else 100_000)
        return Failure(413, "photo-too-large", "reduce it") if is_too_large or len(request.body) > 60_000 else None

    fake.fail = fail
    return fake


def photo(image_format: str = "PNG", size_wh: tuple[int, int] = (WIDTH, HEIGHT), **options: Any) -> bytes:
    """Return a photo that is bright on its right half."""
    pixels = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    pixels[:, size_wh[0] // 2 :] = 230
    return encode_image(Image.fromarray(pixels), image_format, **options)


@pytest.mark.parametrize(
    ("image_format", "size_wh"),
    [("PNG", (600, 400)), ("JPEG", (600, 400)), ("WEBP", (300, 200)), ("BMP", (150, 150)), ("TIFF", (400, 300))],
)
def test_a_photo_over_a_limit_is_reduced_and_its_mask_has_its_own_size(
    limited: FakeFunction, client: Client, image_format: str, size_wh: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    mask = client.segment(photo(image_format, size_wh))
    assert mask.size_wh == size_wh
    assert mask.result.sent_wh is not None
    expected = np.arange(size_wh[0]) >= size_wh[0] // 2
    assert (mask.array.astype(bool) != expected).mean() < 0.02
    assert "exceeds the server's limit" in caplog.text


def test_the_limits_are_asked_for_once(limited: FakeFunction, client: Client) -> None:
    for _ in range(3):
        assert client.segment(photo()).size_wh == (WIDTH, HEIGHT)
    assert [request.method for request in limited.requests] == ["POST", "GET", "POST", "POST", "POST"]


def test_a_photo_within_the_limits_costs_no_request_for_them(limited: FakeFunction, client: Client) -> None:
    client.segment(photo(size_wh=(30, 20)))
    assert [request.method for request in limited.requests] == ["POST"]


def test_the_asyncio_client_reduces_photos_too(limited: FakeFunction) -> None:
    async def segment() -> tuple[int, int]:
        async with AsyncClient(limited.url) as client:
            return (await client.segment(photo())).size_wh

    assert asyncio.run(segment()) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("code", ["response-too-large", "photo-too-large"])
def test_a_refusal_that_reducing_the_photo_cannot_change_is_raised(
    limited: FakeFunction, client: Client, code: str
) -> None:
    limited.fail = lambda number, request: Failure(413, code, "too large") if request.method == "POST" else None
    with pytest.raises(ServerError, match="too large") as raised:
        client.segment(photo(size_wh=(30, 20)))
    assert raised.value.code == code
    assert len(limited.uploads) == 1


def test_a_server_that_does_not_describe_itself_raises_its_first_refusal(limited: FakeFunction, client: Client) -> None:
    limited.fail = lambda number, request: Failure(413 if request.method == "POST" else 404, "no", "too large")
    with pytest.raises(ServerError) as raised:
        client.segment(photo())
    assert raised.value.status == 413


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"upload_bytes": 5, "pixels": 100}, Limits(5, {None: 100, "WEBP": 50, "AVIF": 50})),
        (
            {"upload_bytes": 10**9, "pixels": 100, "pixels_by_format": {"AVIF": 70}},
            Limits(LARGEST_BODY_BYTES, {None: 100, "WEBP": 50, "AVIF": 70}),
        ),
        (None, Limits()),
        ({"pixels": "many"}, Limits()),
        ([], Limits()),
    ],
)
def test_limits_are_parsed_or_else_those_of_the_platform(limits: Any, expected: Limits) -> None:
    assert parse_limits(json.loads(json.dumps({"limits": limits}))) == expected
