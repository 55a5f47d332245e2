"""The library: a photo goes in, a mask comes out, and errors say what happened."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from client import (
    AsyncClient,
    BadAnswer,
    Client,
    ClientError,
    NotAllowed,
    PhotoError,
    ServerError,
    Stopped,
    Unreachable,
)
from tests.client.test_fake_server import MODEL, Failure, StandIn, busy, make_photo, render, standing_in

PHOTO = make_photo(7)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with standing_in() as running:
        yield running


@pytest.fixture
def client(stand_in: StandIn) -> Iterator[Client]:
    with Client(stand_in.url, deadline_s=20) as client:
        yield client


def test_a_mask_is_the_bytes_that_the_server_sent(client: Client) -> None:
    assert client.segment(PHOTO).png == render(PHOTO)


def test_a_mask_is_class_ids_for_numpy_and_a_picture_for_pillow(client: Client) -> None:
    mask = client.segment(PHOTO)
    grey = np.asarray(Image.open(io.BytesIO(PHOTO)).convert("L"))
    assert mask.array.dtype == np.uint8
    assert np.array_equal(mask.array, (grey >= 128).astype(np.uint8))
    assert mask.image.mode == "1"
    assert mask.size_wh == (16, 12)


def test_a_mask_of_many_classes_keeps_its_class_ids(client: Client, stand_in: StandIn) -> None:
    stand_in.classes = 8
    grey = np.asarray(Image.open(io.BytesIO(PHOTO)).convert("L"))
    assert np.array_equal(client.segment(PHOTO).array, grey // 32)


def test_a_path_bytes_an_image_and_an_array_give_the_same_mask(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(PHOTO)
    image = Image.open(io.BytesIO(PHOTO))
    photos: list[Any] = [path, str(path), PHOTO, image, np.asarray(image), image.convert("RGBA")]
    assert {client.segment(photo).array.tobytes() for photo in photos} == {client.segment(PHOTO).array.tobytes()}


def test_an_image_is_sent_as_its_pixels_lie_so_that_the_mask_lies_over_them(client: Client) -> None:
    turned = Image.open(io.BytesIO(PHOTO))
    exif = turned.getexif()
    exif[0x0112] = 6
    stored = io.BytesIO()
    turned.save(stored, "PNG", exif=exif)
    opened = Image.open(stored)
    assert client.segment(opened).size_wh == opened.size == (16, 12)
    assert client.segment(stored.getvalue()).size_wh == (12, 16)


def test_an_image_in_a_mode_that_png_lacks_is_sent_too(client: Client) -> None:
    assert client.segment(Image.new("CMYK", (5, 4))).size_wh == (5, 4)


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_an_array_that_is_no_photo_is_refused_before_it_is_sent(
    client: Client, stand_in: StandIn, array: np.ndarray[Any, Any]
) -> None:
    with pytest.raises(PhotoError, match="must be uint8"):
        client.segment(array)
    assert stand_in.seen == []


def test_a_file_that_is_not_there_is_named(client: Client, tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"none\.jpg: no such file"):
        client.segment(tmp_path / "none.jpg")


def test_options_travel_in_the_query_and_those_not_given_do_not(client: Client, stand_in: StandIn) -> None:
    client.segment(PHOTO)
    client.ask(PHOTO, output="cutout", threshold=0.25, class_name="dog & cat", size="model")
    assert stand_in.seen[0].query == {}
    assert stand_in.seen[1].query == {
        "output": "cutout",
        "threshold": "0.25",
        "class": "dog & cat",
        "size": "model",
    }


def test_an_answer_tells_times_model_and_cold_start(client: Client) -> None:
    first, second = client.segment(PHOTO).answer, client.segment(PHOTO).answer
    assert first.server_timing_ms == {"decode": 1.5, "infer": 12.0}
    assert first.model == MODEL
    assert (first.cold_start, second.cold_start) == (True, False)
    assert first.tries == 1


def test_the_path_of_the_address_is_kept(stand_in: StandIn) -> None:
    with Client(f"{stand_in.url}/silhouette") as client:
        client.segment(PHOTO)
    assert stand_in.seen[0].path == "/silhouette"


def test_the_model_describes_itself(client: Client) -> None:
    assert client.model()["name"] == "bright"


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://example.com", "", "http://"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Client(url)


def test_what_the_server_says_against_a_photo_becomes_the_error(client: Client, stand_in: StandIn) -> None:
    with pytest.raises(ServerError, match="not a photo that can be read") as caught:
        client.segment(b"only text")
    assert (caught.value.status, caught.value.code) == (415, "not-a-photo")
    assert len(stand_in.seen) == 1


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        (Failure(200, media_type="text/html", body=b"<p>Log in first"), "expected image/png .* got text/html"),
        (Failure(200, media_type="image/png", body=b"<p>Log in first"), "is not a PNG"),
    ],
)
def test_an_answer_that_is_no_picture_is_not_taken_for_a_mask(
    client: Client, stand_in: StandIn, instead: Failure, words: str
) -> None:
    stand_in.fail = lambda number, seen: instead
    with pytest.raises(BadAnswer, match=words):
        client.segment(PHOTO)


def test_a_mask_cut_short_on_the_way_is_found_out_when_it_is_opened(client: Client, stand_in: StandIn) -> None:
    body = render(make_photo(1, (300, 200)))[:-400]
    stand_in.fail = lambda number, seen: Failure(200, media_type="image/png", body=body)
    mask = client.segment(PHOTO)
    with pytest.raises(BadAnswer, match="cannot be opened"):
        mask.array.sum()


@pytest.mark.parametrize(
    ("instead", "kind", "words"),
    [
        (
            Failure(403, media_type="text/html", body=b"<h1>Forbidden"),
            NotAllowed,
            "403 Forbidden; it wants an identity",
        ),
        (Failure(302, headers={"Location": "https://x.test/"}, media_type="text/html"), ServerError, "https://x.test/"),
        (Failure(500, media_type="application/json", body=b"[1]"), ServerError, "500 Internal Server Error"),
        (Failure(500, media_type="application/problem+json", body=b"{"), ServerError, "500 Internal Server Error"),
    ],
)
def test_a_refusal_without_problem_json_is_put_into_words(
    client: Client, stand_in: StandIn, instead: Failure, kind: type[ServerError], words: str
) -> None:
    stand_in.fail = lambda number, seen: instead
    with pytest.raises(kind, match=words):
        client.segment(PHOTO)


def test_what_a_server_says_is_pressed_into_one_printable_line(client: Client, stand_in: StandIn) -> None:
    stand_in.fail = lambda number, seen: Failure(400, detail="first\nsecond \x1b[31mred" + "x" * 9999)
    with pytest.raises(ServerError) as caught:
        client.segment(PHOTO)
    assert caught.value.detail.startswith("first second [31mred")
    assert len(caught.value.detail) <= 300


def test_every_error_is_a_client_error() -> None:
    for kind in (PhotoError, ServerError, Unreachable, BadAnswer, Stopped, NotAllowed):
        assert issubclass(kind, ClientError)


def test_the_async_client_gives_the_same_masks_many_at_once(stand_in: StandIn) -> None:
    stand_in.fail = lambda number, seen: busy() if number % 5 == 0 else None
    photos = [make_photo(seed) for seed in range(20)]

    async def ask_all() -> list[bytes]:
        async with AsyncClient(stand_in.url) as client:
            masks = await asyncio.gather(*(client.segment(photo) for photo in photos))
            assert (await client.model())["name"] == "bright"
            return [mask.png for mask in masks]

    assert asyncio.run(ask_all()) == [render(photo) for photo in photos]


def test_one_client_may_be_shared_by_threads(client: Client) -> None:
    photos = [make_photo(seed) for seed in range(40)]
    masks: dict[int, bytes] = {}

    def ask(start: int) -> None:
        for index in range(start, len(photos), 4):
            masks[index] = client.segment(photos[index]).png

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [masks[index] for index in range(40)] == [render(photo) for photo in photos]
