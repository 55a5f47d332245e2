"""The pixels of images of every mode: the client reads them as the server does."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from client import Client, PhotoError
from client.photo import read_photo
from client.pixels import to_rgb
from client.upload import Limits, prepare_upload
from model.image.decode import decode
from tests.support.fake_function import FakeFunction, render
from tests.support.images import encode_image, random_image

WIDTH, HEIGHT = 24, 16
COLOURS = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
RAMP = np.linspace(0, 1, WIDTH * HEIGHT, dtype=np.float64).reshape(HEIGHT, WIDTH)

EIGHT_BIT_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
RANGES = [(0, 1), (0, 255), (0, 4095), (0, 65535), (300, 400), (-1000, 1000), (0, 1e6), (7, 7)]
# Modes that a TIFF file keeps.
TIFF_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16", "I;16B")


def image_of(mode: str) -> Image.Image:
    """Return an image of a mode with 8 bits per channel, transparent in parts if the mode allows it."""
    rgba = Image.fromarray(COLOURS)
    if mode == "HSV":
        return Image.merge("HSV", rgba.split()[:3])
    if mode == "LAB":
        return Image.frombytes("LAB", rgba.size, rgba.convert("RGB").tobytes())
    if mode == "PA":
        return rgba.convert("RGB").convert("P").convert("PA")
    if mode in ("LA", "La"):
        grey = rgba.convert("LA")
        return grey if mode == "LA" else grey.convert("La")
    return rgba.convert(mode) if mode in ("RGBA", "RGBa") else rgba.convert("RGB").convert(mode)


def deep_image(mode: str, low: float, high: float) -> Image.Image:
    """Return a grey ramp in a mode of more than 8 bits."""
    values = low + RAMP * (high - low)
    if mode == "F":
        return Image.fromarray(values.astype(np.float32))
    if mode == "I":
        return Image.fromarray(values.astype(np.int32))
    big = mode == "I;16B"
    raw = values.clip(0, 65535).astype(">u2" if big else "<u2")
    return Image.frombytes(mode, (WIDTH, HEIGHT), raw.tobytes())


def server_pixels(data: bytes) -> NDArray[np.uint8]:
    return decode(data, None, 10**9).pixels


def test_the_modes_here_are_all_that_pillow_has() -> None:
    assert set(Image.MODES) <= {*EIGHT_BIT_MODES, *DEEP_MODES}


@pytest.mark.parametrize("mode", EIGHT_BIT_MODES)
def test_the_server_sees_an_image_of_each_mode_as_the_client_does(mode: str) -> None:
    image = image_of(mode)
    assert image.mode == mode
    assert np.array_equal(server_pixels(read_photo(image)), np.asarray(to_rgb(image)))
    if mode in TIFF_MODES:
        assert np.array_equal(server_pixels(encode_image(image, "TIFF")), np.asarray(to_rgb(image)))


@pytest.mark.parametrize("mode", DEEP_MODES)
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_the_server_sees_deep_grey_as_the_client_does(mode: str, low: float, high: float) -> None:
    image = deep_image(mode, low, high)
    pixels = np.asarray(to_rgb(image))
    assert np.array_equal(server_pixels(read_photo(image)), pixels)
    if mode in TIFF_MODES:
        assert np.array_equal(server_pixels(encode_image(image, "TIFF")), pixels)
    assert low == high or pixels.max() > pixels.min()


@pytest.mark.parametrize("values", [[np.nan, 0.0, 1.0], [np.inf, 0.0, 1.0], [-np.inf, 0.5, 1.0]])
def test_values_that_are_not_finite_count_as_0(values: list[float]) -> None:
    image = Image.fromarray(np.array([values], np.float32))
    expected = server_pixels(encode_image(image, "TIFF"))
    assert np.array_equal(server_pixels(read_photo(image)), expected)
    assert np.array_equal(np.asarray(to_rgb(image)), expected)


@pytest.mark.parametrize("mode", DEEP_MODES)
def test_the_mask_of_a_deep_grey_image_is_not_empty(client: Client, mode: str) -> None:
    array = client.segment(deep_image(mode, 0, 65535)).array
    assert 0.4 < array.mean() < 0.6


@pytest.mark.parametrize("mode", ["I", "F", "I;16", "I;16B"])
def test_a_reduced_deep_grey_photo_has_the_same_brightness(mode: str) -> None:
    data = encode_image(deep_image(mode, 0, 65535).resize((WIDTH, HEIGHT)), "TIFF")
    upload = prepare_upload(data, Limits(upload_bytes=len(data) - 1))
    assert upload.photo_wh == (WIDTH, HEIGHT)
    difference = np.abs(server_pixels(upload.body).astype(int) - server_pixels(data))
    assert difference.max() < 12


@pytest.mark.parametrize(
    "convert",
    [
        bytes,
        bytearray,
        memoryview,
        io.BytesIO,
        lambda data: io.BufferedReader(io.BytesIO(data)),
    ],
)
def test_bytes_in_every_form_work_as_bytes_do(client: Client, fake: FakeFunction, convert: Any) -> None:
    photo = random_image(7)
    assert client.segment(convert(photo)).png == render(photo)
    assert fake.requests[0].body == photo


def test_a_buffer_is_sent_whole_wherever_its_position_is(client: Client) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), "white").save(buffer, "PNG")
    assert client.segment(buffer).size_wh == (5, 4)


def test_an_open_file_is_read(client: Client, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(random_image(7))
    with (tmp_path / "photo.png").open("rb") as file:
        assert client.segment(file).png == render(random_image(7))


@pytest.mark.parametrize("photo", [None, 5, io.StringIO("text"), ["photo.jpg"], {}])
def test_anything_else_is_refused_with_its_type(client: Client, fake: FakeFunction, photo: Any) -> None:
    with pytest.raises(PhotoError, match=f"cannot be read from {type(photo).__name__}"):
        client.segment(photo)
    assert fake.requests == []
