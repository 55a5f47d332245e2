from __future__ import annotations

import asyncio
import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from client import (
    AsyncClient,
    BadResponse,
    Client,
    ClientError,
    NotAllowed,
    PhotoError,
    ServerError,
    Stopped,
    Unreachable,
)
from tests.support.fake_function import MODEL, Failure, FakeFunction, busy, render
from tests.support.images import random_image

PHOTO = random_image(7)


def test_the_png_of_a_mask_is_the_unchanged_response_body(client: Client) -> None:
    assert client.segment(PHOTO).png == render(PHOTO)


def test_a_mask_is_an_array_of_class_ids_and_a_pillow_image(client: Client) -> None:
    mask = client.segment(PHOTO)
    grey = np.asarray(Image.open(io.BytesIO(PHOTO)).convert("L"))
    assert mask.array.dtype == np.uint8
    assert np.array_equal(mask.array, (grey >= 128).astype(np.uint8))
    assert mask.image.mode == "1"
    assert mask.size_wh == (16, 12)


def test_a_mask_of_many_classes_keeps_its_class_ids(client: Client, fake: FakeFunction) -> None:
    fake.classes = 8
    grey = np.asarray(Image.open(io.BytesIO(PHOTO)).convert("L"))
    assert np.array_equal(client.segment(PHOTO).array, grey // 32)


def test_a_path_bytes_an_image_and_an_array_give_the_same_mask(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(PHOTO)
    image = Image.open(io.BytesIO(PHOTO))
    photos: list[Any] = [path, str(path), PHOTO, image, np.asarray(image), image.convert("RGBA")]
    assert {client.segment(photo).array.tobytes() for photo in photos} == {client.segment(PHOTO).array.tobytes()}


def test_a_pillow_image_is_sent_without_its_exif_orientation(client: Client) -> None:
    turned = Image.open(io.BytesIO(PHOTO))
    exif = turned.getexif()
    exif[0x0112] = 6
    stored = io.BytesIO()
    turned.save(stored, "PNG", exif=exif)
    opened = Image.open(stored)
    assert client.segment(opened).size_wh == opened.size == (16, 12)
    assert client.segment(stored.getvalue()).size_wh == (12, 16)


def test_an_image_in_a_mode_that_png_does_not_support_is_converted(client: Client) -> None:
    assert client.segment(Image.new("CMYK", (5, 4))).size_wh == (5, 4)


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_an_array_of_another_dtype_or_shape_is_rejected_before_sending(
    client: Client, fake: FakeFunction, array: np.ndarray[Any, Any]
) -> None:
    with pytest.raises(PhotoError, match="must be uint8"):
        client.segment(array)
    assert fake.requests == []


def test_the_error_for_a_missing_file_names_it(client: Client, tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"none\.jpg: no such file"):
        client.segment(tmp_path / "none.jpg")


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


def test_a_result_has_timings_model_and_cold_start(client: Client) -> None:
    first, second = client.segment(PHOTO).result, client.segment(PHOTO).result
    assert first.server_timing_ms == {"decode": 1.5, "infer": 12.0}
    assert first.model == MODEL
    assert (first.cold_start, second.cold_start) == (True, False)
    assert first.tries == 1


def test_the_path_of_the_url_is_kept(fake: FakeFunction) -> None:
    with Client(f"{fake.url}/silhouette") as client:
        client.segment(PHOTO)
    assert fake.requests[0].path == "/silhouette"


def test_model_returns_the_description_of_the_model(client: Client) -> None:
    assert client.model()["name"] == "bright"


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://example.com", "", "http://"])
def test_an_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="invalid URL"):
        Client(url)


def test_a_problem_json_response_becomes_a_server_error(client: Client, fake: FakeFunction) -> None:
    with pytest.raises(ServerError, match="not a supported image") as raised:
        client.segment(b"only text")
    assert (raised.value.status, raised.value.code) == (415, "not-a-photo")
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        (Failure(200, media_type="text/html", body=b"<p>Log in first"), "expected image/png .* got text/html"),
        (Failure(200, media_type="image/png", body=b"<p>Log in first"), "is not a PNG"),
    ],
)
def test_a_response_that_is_not_a_png_is_rejected(
    client: Client, fake: FakeFunction, instead: Failure, words: str
) -> None:
    fake.fail = lambda number, request: instead
    with pytest.raises(BadResponse, match=words):
        client.segment(PHOTO)


def test_a_truncated_mask_is_rejected_when_it_is_decoded(client: Client, fake: FakeFunction) -> None:
    body = render(random_image(1, (300, 200)))[:-400]
    fake.fail = lambda number, request: Failure(200, media_type="image/png", body=body)
    mask = client.segment(PHOTO)
    with pytest.raises(BadResponse, match="cannot decode the mask"):
        mask.array.sum()


@pytest.mark.parametrize(
    ("instead", "kind", "words"),
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
    client: Client, fake: FakeFunction, instead: Failure, kind: type[ServerError], words: str
) -> None:
    fake.fail = lambda number, request: instead
    with pytest.raises(kind, match=words):
        client.segment(PHOTO)


def test_the_detail_of_a_server_error_is_one_printable_line_of_limited_length(
    client: Client, fake: FakeFunction
) -> None:
    fake.fail = lambda number, request: Failure(400, detail="first\nsecond \x1b[31mred" + "x" * 9999)
    with pytest.raises(ServerError) as raised:
        client.segment(PHOTO)
    assert raised.value.detail.startswith("first second [31mred")
    assert len(raised.value.detail) <= 300


def test_every_error_is_a_client_error() -> None:
    for kind in (PhotoError, ServerError, Unreachable, BadResponse, Stopped, NotAllowed):
        assert issubclass(kind, ClientError)


def test_the_async_client_gives_the_same_masks_many_at_once(fake: FakeFunction) -> None:
    fake.fail = lambda number, request: busy() if number % 5 == 0 else None
    photos = [random_image(seed) for seed in range(20)]

    async def ask_all() -> list[bytes]:
        async with AsyncClient(fake.url) as client:
            masks = await asyncio.gather(*(client.segment(photo) for photo in photos))
            assert (await client.model())["name"] == "bright"
            return [mask.png for mask in masks]

    assert asyncio.run(ask_all()) == [render(photo) for photo in photos]


def test_threads_can_share_a_client(client: Client) -> None:
    photos = [random_image(seed) for seed in range(40)]
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
