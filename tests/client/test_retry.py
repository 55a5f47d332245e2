from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from itertools import count

import httpx
import pytest

from client import Client, ServerError, Stopped, Unreachable
from client.retry import Exchange, Pause, Reply, SendRequest, is_retryable, pause_after, retry_steps
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
    assert len(fake.uploads) == 1


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
        Client(fake.url, deadline_s=1) as client,
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


def drive(deadline_s: float, replies: Callable[[int], Reply], duration_s: float) -> tuple[Exchange, list[Pause]]:
    """Run the retry policy without a network; each try takes the same time on a fake clock."""
    now_s = 0.0
    pauses: list[Pause] = []
    tries = count(1)
    steps = retry_steps("http://function.test", deadline_s, clock=lambda: now_s)
    reply: Reply = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            return end.value, pauses
        if isinstance(step, SendRequest):
            now_s += duration_s
            reply = replies(next(tries))
        elif isinstance(step, Pause):
            now_s += step.duration_s
            pauses.append(step)
            reply = None


def test_pauses_grow_and_the_deadline_is_kept() -> None:
    exchange, pauses = drive(60, lambda number: httpx.Response(503), duration_s=0.1)
    assert exchange.response.status_code == 503
    assert exchange.tries == len(pauses) + 1 > 5
    assert exchange.round_trip_ms == pytest.approx(100)
    for tries, pause in enumerate(pauses, 1):
        assert 0 <= pause.duration_s <= min(8, 0.25 * 2**tries)
    assert sum(pause.duration_s for pause in pauses) + 0.1 * exchange.tries < 60.2


def test_retry_after_is_the_shortest_pause() -> None:
    response = httpx.Response(429, headers={"Retry-After": "3"})
    _, [pause] = drive(60, lambda number: response if number == 1 else httpx.Response(200), duration_s=0.1)
    assert 3 <= pause.duration_s <= 3.75
    assert pause.reason == "429 Too Many Requests"


def test_callers_with_the_same_retry_after_return_at_different_times() -> None:
    response = httpx.Response(503, headers={"Retry-After": "60"})
    pauses = [pause_after(1, response) for _ in range(200)]
    assert max(pauses) - min(pauses) > 10
    assert all(60 <= pause <= 75 for pause in pauses)


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "self-signed certificate"
    return error


def connect_error(cause: Exception) -> httpx.ConnectError:
    error = httpx.ConnectError(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (connect_error(socket.gaierror(socket.EAI_NONAME, "Name or service not known")), "unknown host"),
        (connect_error(certificate_error()), "not trusted .self-signed certificate"),
        (httpx.UnsupportedProtocol("Unsupported protocol ftp://"), "Unsupported protocol"),
    ],
)
def test_a_permanent_connection_error_is_not_retried(error: httpx.RequestError, message: str) -> None:
    assert not is_retryable(error)
    with pytest.raises(Unreachable, match=message) as raised:
        drive(60, lambda number: error, duration_s=0.1)
    assert raised.value.tries == 1


def test_a_temporary_name_resolution_failure_is_retried() -> None:
    assert is_retryable(connect_error(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")))
