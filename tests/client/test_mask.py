from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from client import (
    BadResponse,
    Client,
)
from tests.support.fake_function import Failure, FakeFunction, render
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


def test_a_truncated_mask_is_rejected_when_it_is_decoded(client: Client, fake: FakeFunction) -> None:
    body = render(random_image(1, (300, 200)))[:-400]
    fake.fail = lambda number, request: Failure(200, media_type="image/png", body=body)
    mask = client.segment(PHOTO)
    with pytest.raises(BadResponse, match="cannot decode the mask"):
        mask.array.sum()


def test_save_writes_the_png_unchanged(client: Client, tmp_path: Path) -> None:
    client.segment(PHOTO).save(tmp_path / "mask.png")
    assert (tmp_path / "mask.png").read_bytes() == render(PHOTO)


def test_a_png_of_another_mode_is_not_a_mask(client: Client, fake: FakeFunction) -> None:
    fake.fail = lambda number, request: Failure(200, media_type="image/png", body=render(PHOTO, "overlay"))
    with pytest.raises(BadResponse, match="1-bit or palette PNG, but this one has mode RGB"):
        _ = client.segment(PHOTO).array
