from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from client import (
    Client,
    PhotoError,
)
from client.photo import open_upright
from client.pixels import to_rgb
from tests.support.fake_function import FakeFunction
from tests.support.images import random_image

PHOTO = random_image(7)


def test_a_path_bytes_an_image_and_an_array_give_the_same_mask(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(PHOTO)
    image = Image.open(io.BytesIO(PHOTO))
    photos: list[Any] = [path, str(path), PHOTO, image, np.asarray(image), image.convert("RGBA")]
    assert {client.segment(photo).array.tobytes() for photo in photos} == {client.segment(PHOTO).array.tobytes()}


def test_a_pillow_image_is_sent_without_its_exif_orientation(client: Client) -> None:
    image = Image.open(io.BytesIO(PHOTO))
    exif = image.getexif()
    exif[0x0112] = 6
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    opened = Image.open(file)
    assert client.segment(opened).size_wh == opened.size == (16, 12)
    assert client.segment(file.getvalue()).size_wh == (12, 16)


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


def test_16_bit_grey_is_scaled_to_8_bits() -> None:
    grey = Image.fromarray(np.array([[0, 256, 65535]], np.uint16))
    assert np.asarray(to_rgb(grey))[0, :, 0].tolist() == [0, 1, 255]


def test_broken_exif_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageOps, "exif_transpose", lambda image: 1 / 0)
    assert open_upright(PHOTO).size == (16, 12)


def test_an_image_that_cannot_be_encoded_is_an_error(client: Client) -> None:
    with pytest.raises(PhotoError, match="cannot encode the image"):
        client.segment(Image.new("RGB", (0, 0)))


def test_an_unreadable_photo_is_an_error() -> None:
    with pytest.raises(PhotoError, match="cannot decode the photo"):
        open_upright(b"not a photo")
