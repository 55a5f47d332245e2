from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model.image import preprocess
from model.tflite.card import ModelCard
from model.tflite.tensor_specs import InputSpec


def test_a_photo_is_resized_and_normalized_as_the_card_says() -> None:
    card = ModelCard(mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 5.0))
    pixels = np.full((30, 50, 3), (10, 24, 40), np.uint8)
    tensor = preprocess.to_input(pixels, (8, 6), card)
    assert tensor.shape == (1, 6, 8, 3)
    assert tensor.dtype == np.float32
    assert np.allclose(tensor[0, 0, 0], [0, 1, 2])


def test_channels_are_reversed_to_bgr_before_normalization() -> None:
    card = ModelCard(order="BGR", mean=(30.0, 20.0, 10.0), std=(1.0, 1.0, 1.0))
    pixels = np.full((4, 4, 3), (10, 20, 30), np.uint8)
    assert np.allclose(preprocess.to_input(pixels, (4, 4), card), 0)


def test_letterbox_keeps_the_proportions_between_bars_of_the_fill_colour() -> None:
    card = ModelCard(fit="letterbox", fill=(9, 9, 9), mean=(0.0,), std=(1.0,))
    assert preprocess.photo_box((200, 100), (40, 40), "letterbox") == (0, 10, 40, 30)
    channel = preprocess.to_input(np.full((100, 200, 3), 50, np.uint8), (40, 40), card)[0, ..., 0]
    assert (channel[:10] == 9).all()
    assert (channel[10:30] == 50).all()
    assert (channel[30:] == 9).all()


@pytest.mark.parametrize(("dtype", "zero_point"), [(np.uint8, 0), (np.int8, -128)])
def test_values_are_quantized_by_the_scale_and_zero_point_of_the_input(dtype: type[Any], zero_point: int) -> None:
    pixels = np.full((4, 4, 3), (0, 128, 255), np.uint8)
    card = ModelCard(mean=(0.0,), std=(255.0,))
    spec = InputSpec("NHWC", (1, 4, 4, 3), 3, np.dtype(dtype), 1 / 255, zero_point)
    tensor = preprocess.to_input(pixels, (4, 4), card, spec)
    assert tensor.dtype == dtype
    assert tensor[0, 0, 0].tolist() == [zero_point + value for value in (0, 128, 255)]


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("NHWC", (1, 3, 4, 3)), ("NCHW", (1, 3, 3, 4)), ("HWC", (3, 4, 3)), ("CHW", (3, 3, 4))],
)
def test_a_colour_photo_is_rearranged_to_the_axes_of_the_input(axes: str, shape: tuple[int, ...]) -> None:
    card = ModelCard(mean=(0.0,), std=(1.0,))
    pixels = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    tensor = preprocess.to_input(pixels, (4, 3), card, InputSpec(axes, shape, 3))
    assert tensor.shape == shape
    back = tensor.reshape(shape[-3:])
    assert (np.moveaxis(back, 0, -1) if axes.endswith("CHW") else back).tolist() == pixels.tolist()


@pytest.mark.parametrize(("axes", "shape"), [("NHWC", (1, 3, 4, 1)), ("NHW", (1, 3, 4)), ("HW", (3, 4))])
def test_a_grey_input_gets_the_luma_of_the_photo(axes: str, shape: tuple[int, ...]) -> None:
    card = ModelCard(mean=(0.0,), std=(1.0,))
    pixels = np.full((3, 4, 3), (10, 200, 90), np.uint8)
    tensor = preprocess.to_input(pixels, (4, 3), card, InputSpec(axes, shape, 1))
    assert tensor.shape == shape
    assert (tensor == round(0.299 * 10 + 0.587 * 200 + 0.114 * 90)).all()


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [(np.float32, 0.0, 0), (np.int8, 1 / 128, -1), (np.uint8, 0.02, 114), (np.uint8, 0.0, 0), (np.int16, 3e-5, 0)],
)
def test_every_pixel_value_becomes_what_arithmetic_gives(
    dtype: type[Any], scale: float, zero_point: int, order: str
) -> None:
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    spec = InputSpec("NHWC", (1, 16, 16, 3), 3, np.dtype(dtype), scale, zero_point)
    values = np.arange(256, dtype=np.uint8)
    pixels = np.dstack([np.roll(values, shift).reshape(16, 16) for shift in (0, 80, 160)])
    ordered = (pixels if order == "RGB" else pixels[..., ::-1]).astype(np.float32)
    real = ((ordered - np.array(mean, np.float32)) / np.array(std, np.float32)).astype(np.float32, copy=False)
    expected = spec.quantize(real)
    tensor = preprocess.to_input(pixels, (16, 16), ModelCard(order=order, mean=mean, std=std), spec)
    assert tensor.dtype == dtype
    assert (tensor[0] == expected).all()
