from __future__ import annotations

import asyncio
import inspect

import pytest

from client import (
    AsyncClient,
    Client,
    EventReceipt,
    Mask,
    SegmentResult,
    Stopped,
    finalized_event,
)
from tests.support.fake_function import Failure, FakeFunction, busy, render
from tests.support.images import random_image

PHOTO = random_image(7)


def test_masks_are_returned_concurrently(fake: FakeFunction) -> None:
    fake.fail = lambda number, request: busy() if number % 5 == 0 else None
    photos = [random_image(seed) for seed in range(20)]

    async def segment_all() -> list[bytes]:
        async with AsyncClient(fake.url) as client:
            masks = await asyncio.gather(*(client.segment(photo) for photo in photos))
            assert (await client.model())["name"] == "bright"
            return [mask.png for mask in masks]

    assert asyncio.run(segment_all()) == [render(photo) for photo in photos]


def test_any_output_can_be_requested(fake: FakeFunction) -> None:
    async def request() -> SegmentResult:
        async with AsyncClient(fake.url) as client:
            return await client.request_output(PHOTO, output="cutout", threshold=0.25, size="model")

    result = asyncio.run(request())
    assert result.body == render(PHOTO, "cutout")
    assert fake.requests[0].query == {"output": "cutout", "threshold": "0.25", "size": "model"}


def test_an_event_can_be_delivered(fake: FakeFunction) -> None:
    fake.fail = lambda number, request: Failure(204, media_type="image/png", headers={"X-Outcome": "present"})

    async def deliver() -> EventReceipt:
        async with AsyncClient(fake.url) as client:
            return await client.deliver(finalized_event("photos", "a.jpg", 7, 1000))

    assert asyncio.run(deliver()).outcome == "present"
    assert fake.requests[0].headers["content-type"] == "application/cloudevents+json"


def test_a_retried_request_returns_its_number_of_tries(fake: FakeFunction) -> None:
    fake.fail = lambda number, request: busy(503, Retry_After="0") if number == 1 else None

    async def segment() -> Mask:
        async with AsyncClient(fake.url) as client:
            return await client.segment(PHOTO)

    assert asyncio.run(segment()).result.tries == 2


def test_setting_stop_ends_the_pause_between_retries(fake: FakeFunction) -> None:
    fake.fail = lambda number, request: busy(503, Retry_After="600")

    async def segment() -> None:
        stop = asyncio.Event()
        async with AsyncClient(fake.url, deadline_s=3600, stop=stop) as client:
            asyncio.get_running_loop().call_later(0.1, stop.set)
            await client.segment(PHOTO)

    with pytest.raises(Stopped):
        asyncio.run(segment())


def public_methods(client_class: type) -> dict[str, list[str]]:
    return {
        name: list(inspect.signature(method).parameters)
        for name, method in inspect.getmembers(client_class, inspect.isfunction)
        if not name.startswith("_") or name == "__init__"
    }


def test_the_methods_and_their_arguments_are_those_of_client() -> None:
    assert public_methods(AsyncClient) == public_methods(Client)
