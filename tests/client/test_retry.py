from __future__ import annotations

import socket
import threading

import pytest

from client import Client, ServerError, Stopped, Unreachable
from tests.support.fake_function import CLOSED, CLOSED_MID_RESPONSE, Failure, FakeFunction, busy, render
from tests.support.images import random_image

PHOTO = random_image(7)


@pytest.mark.parametrize(
    "failure", [*(busy(status, Retry_After="0") for status in (429, 502, 503, 504)), CLOSED, CLOSED_MID_RESPONSE]
)
def test_a_transient_error_is_retried(client: Client, fake: FakeFunction, failure: Failure) -> None:
    fake.fail = lambda number, request: failure if number < 3 else None
    mask = client.segment(PHOTO)
    assert mask.png == render(PHOTO)
    assert mask.result.tries == 3


@pytest.mark.parametrize("status", [400, 404, 413, 422, 500])
def test_a_permanent_error_is_not_retried(client: Client, fake: FakeFunction, status: int) -> None:
    fake.fail = lambda number, request: busy(status)
    with pytest.raises(ServerError, match="too many photos") as raised:
        client.segment(PHOTO)
    assert raised.value.status == status
    assert len(fake.requests) == 1


@pytest.mark.parametrize("header", ["3600", "Fri, 31 Dec 2999 23:59:59 GMT"])
def test_a_retry_after_beyond_the_deadline_ends_the_request(client: Client, fake: FakeFunction, header: str) -> None:
    fake.fail = lambda number, request: busy(503, Retry_After=header)
    with pytest.raises(ServerError) as raised:
        client.segment(PHOTO)
    assert (raised.value.status, len(fake.requests)) == (503, 1)


@pytest.mark.parametrize("header", ["0", "Fri, 31 Dec 1999 23:59:59 GMT", "soon"])
def test_a_short_past_or_unreadable_retry_after_leads_to_a_retry(
    client: Client, fake: FakeFunction, header: str
) -> None:
    fake.fail = lambda number, request: busy(503, Retry_After=header) if number == 1 else None
    assert client.segment(PHOTO).result.tries == 2


def test_retries_end_at_the_deadline(fake: FakeFunction) -> None:
    fake.fail = lambda number, request: CLOSED
    with (
        Client(fake.url, deadline_s=0.5) as client,
        pytest.raises(Unreachable, match="connection was closed") as raised,
    ):
        client.segment(PHOTO)
    assert raised.value.tries == len(fake.requests) > 1


def test_a_server_that_does_not_respond_times_out_at_the_deadline(fake: FakeFunction) -> None:
    fake.delay_s = 3
    with Client(fake.url, deadline_s=0.2) as client, pytest.raises(Unreachable, match="timed out"):
        client.segment(PHOTO)


def test_a_refused_connection_is_reported() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        client = Client(f"http://127.0.0.1:{probe.getsockname()[1]}", deadline_s=0.2)
        with client, pytest.raises(Unreachable, match="refused"):
            client.segment(PHOTO)


def test_setting_stop_ends_the_pause_between_retries(fake: FakeFunction) -> None:
    stop = threading.Event()

    def fail(number: int, request: object) -> Failure:
        stop.set()
        return busy(503, Retry_After="600")

    fake.fail = fail
    with Client(fake.url, deadline_s=3600, stop=stop) as client, pytest.raises(Stopped):
        client.segment(PHOTO)
