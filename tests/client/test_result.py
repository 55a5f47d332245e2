from __future__ import annotations

import pytest

from client import (
    BadResponse,
    Client,
)
from tests.support.fake_function import MODEL, Failure, FakeFunction
from tests.support.images import random_image

PHOTO = random_image(7)


def test_a_result_has_timings_model_and_cold_start(client: Client) -> None:
    first, second = client.segment(PHOTO).result, client.segment(PHOTO).result
    assert first.server_timing_ms == {"decode": 1.5, "infer": 12.0}
    assert first.model == MODEL
    assert (first.cold_start, second.cold_start) == (True, False)
    assert first.tries == 1


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (Failure(200, media_type="text/html", body=b"<p>Log in first"), "expected image/png .* got text/html"),
        (Failure(200, media_type="image/png", body=b"<p>Log in first"), "is not a PNG"),
    ],
)
def test_a_response_that_is_not_a_png_is_rejected(
    client: Client, fake: FakeFunction, response: Failure, message: str
) -> None:
    fake.fail = lambda number, request: response
    with pytest.raises(BadResponse, match=message):
        client.segment(PHOTO)
