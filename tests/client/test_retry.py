"""What passes is tried again, what does not is not, and a deadline ends it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from client import (
    Client,
    ServerError,
    Stopped,
    Unreachable,
)
from tests.client.test_fake_server import (
    CUT,
    CUT_IN_MID_ANSWER,
    Failure,
    StandIn,
    busy,
    make_photo,
    render,
    standing_in,
)

PHOTO = make_photo(7)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with standing_in() as running:
        yield running


@pytest.fixture
def client(stand_in: StandIn) -> Iterator[Client]:
    with Client(stand_in.url, deadline_s=20) as client:
        yield client


@pytest.mark.parametrize(
    "failure", [*(busy(status, Retry_After="0") for status in (429, 502, 503, 504)), CUT, CUT_IN_MID_ANSWER]
)
def test_what_passes_is_tried_again(client: Client, stand_in: StandIn, failure: Failure) -> None:
    stand_in.fail = lambda number, seen: failure if number < 3 else None
    mask = client.segment(PHOTO)
    assert mask.png == render(PHOTO)
    assert mask.answer.tries == 3


@pytest.mark.parametrize("status", [400, 404, 413, 422, 500])
def test_what_does_not_pass_is_not_tried_again(client: Client, stand_in: StandIn, status: int) -> None:
    stand_in.fail = lambda number, seen: busy(status)
    with pytest.raises(ServerError, match="too many photos") as caught:
        client.segment(PHOTO)
    assert caught.value.status == status
    assert len(stand_in.seen) == 1


@pytest.mark.parametrize("wish", ["3600", "Fri, 31 Dec 2999 23:59:59 GMT"])
def test_a_server_that_asks_for_more_patience_than_the_deadline_is_not_asked_again(
    client: Client, stand_in: StandIn, wish: str
) -> None:
    stand_in.fail = lambda number, seen: busy(503, Retry_After=wish)
    with pytest.raises(ServerError) as caught:
        client.segment(PHOTO)
    assert (caught.value.status, len(stand_in.seen)) == (503, 1)


@pytest.mark.parametrize("wish", ["0", "Fri, 31 Dec 1999 23:59:59 GMT", "soon"])
def test_a_server_that_asks_for_little_patience_is_asked_again(client: Client, stand_in: StandIn, wish: str) -> None:
    stand_in.fail = lambda number, seen: busy(503, Retry_After=wish) if number == 1 else None
    assert client.segment(PHOTO).answer.tries == 2


def test_a_server_that_never_recovers_is_given_up_at_the_deadline(stand_in: StandIn) -> None:
    stand_in.fail = lambda number, seen: CUT
    with (
        Client(stand_in.url, deadline_s=0.5) as client,
        pytest.raises(Unreachable, match="connection was cut") as caught,
    ):
        client.segment(PHOTO)
    assert caught.value.tries == len(stand_in.seen) > 1


def test_a_server_that_hangs_is_given_up_at_the_deadline(stand_in: StandIn) -> None:
    stand_in.pause_s = 3
    with Client(stand_in.url, deadline_s=0.2) as client, pytest.raises(Unreachable, match="took too long"):
        client.segment(PHOTO)


def test_a_port_where_nobody_listens_is_said_to_be_so() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        client = Client(f"http://127.0.0.1:{probe.getsockname()[1]}", deadline_s=0.2)
        with client, pytest.raises(Unreachable, match="refused"):
            client.segment(PHOTO)


def test_setting_stop_ends_the_pause_between_tries(stand_in: StandIn) -> None:
    stop = threading.Event()

    def fail(number: int, seen: object) -> Failure:
        stop.set()
        return busy(503, Retry_After="600")

    stand_in.fail = fail
    with Client(stand_in.url, deadline_s=3600, stop=stop) as client, pytest.raises(Stopped):
        client.segment(PHOTO)
