from __future__ import annotations

import json

import pytest

from client import BadResponse, Client, ClientError, EventReceipt, NotAllowed, ServerError, finalized_event
from tests.support.fake_function import MODEL, Failure, FakeFunction

EVENT = finalized_event("photos", "deep/a.jpg", 7, 1000)


def no_content(outcome: str) -> Failure:
    return Failure(204, media_type="image/png", headers={"X-Outcome": outcome, "Server-Timing": "read;dur=2"})


@pytest.mark.parametrize("outcome", ["mask", "present", "gone"])
def test_delivering_an_event_returns_a_receipt(client: Client, fake: FakeFunction, outcome: str) -> None:
    fake.fail = lambda number, request: no_content(outcome)
    receipt = client.deliver(EVENT)
    assert isinstance(receipt, EventReceipt)
    assert (receipt.outcome, receipt.model, receipt.server_timing_ms) == (outcome, MODEL, {"read": 2.0})
    assert (receipt.cold_start, receipt.tries) == (False, 1)
    assert json.loads(fake.requests[0].body) == EVENT


@pytest.mark.parametrize(
    ("outcome", "error_class", "code"),
    [
        ("note; code=not-a-photo", ServerError, "not-a-photo"),
        ("refused; code=other-type", ServerError, "other-type"),
        ("refused; code=other-bucket", NotAllowed, "other-bucket"),
        ("", BadResponse, "bad-answer"),
    ],
)
def test_an_event_without_a_mask_is_an_error(
    client: Client, fake: FakeFunction, outcome: str, error_class: type[ClientError], code: str
) -> None:
    fake.fail = lambda number, request: no_content(outcome)
    with pytest.raises(error_class) as raised:
        client.deliver(EVENT)
    assert raised.value.code == code


def test_a_function_without_buckets_is_reported(client: Client, fake: FakeFunction) -> None:
    fake.fail = lambda number, request: Failure(200, media_type="image/png", body=b"x")
    with pytest.raises(BadResponse, match="does not accept storage events"):
        client.deliver(EVENT)
