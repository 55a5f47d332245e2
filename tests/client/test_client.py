from __future__ import annotations

import threading

import pytest

from client import (
    BadResponse,
    Client,
    ClientError,
    NotAllowed,
    PhotoError,
    ServerError,
    Stopped,
    Unreachable,
)
from tests.support.fake_function import FakeFunction, render
from tests.support.images import random_image

PHOTO = random_image(7)


def test_options_are_sent_in_the_query_unless_they_are_left_at_their_defaults(
    client: Client, fake: FakeFunction
) -> None:
    client.segment(PHOTO)
    client.request_output(PHOTO, output="cutout", threshold=0.25, class_name="dog & cat", size="model")
    assert fake.requests[0].query == {}
    assert fake.requests[1].query == {
        "output": "cutout",
        "threshold": "0.25",
        "class": "dog & cat",
        "size": "model",
    }


def test_the_path_of_the_url_is_kept(fake: FakeFunction) -> None:
    with Client(f"{fake.url}/silhouette") as client:
        client.segment(PHOTO)
    assert fake.requests[0].path == "/silhouette"


def test_model_returns_the_description_of_the_model(client: Client) -> None:
    assert client.model()["name"] == "bright"


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://example.com", "", "http://", "http://[::1"])
def test_an_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="invalid URL"):
        Client(url)


def test_every_error_is_a_client_error() -> None:
    for error_class in (PhotoError, ServerError, Unreachable, BadResponse, Stopped, NotAllowed):
        assert issubclass(error_class, ClientError)


def test_threads_can_share_a_client(client: Client) -> None:
    photos = [random_image(seed) for seed in range(40)]
    masks: dict[int, bytes] = {}

    def segment_every_fourth(start: int) -> None:
        for index in range(start, len(photos), 4):
            masks[index] = client.segment(photos[index]).png

    threads = [threading.Thread(target=segment_every_fourth, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [masks[index] for index in range(40)] == [render(photo) for photo in photos]
