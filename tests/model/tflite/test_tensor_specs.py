from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model.errors import ModelRejected
from model.tflite import tensor_specs
from model.tflite.tensor_specs import ANY, InputSpec, OutputSpec


def test_a_fixed_input_has_its_own_size_for_every_photo() -> None:
    spec = InputSpec("NHWC", (1, 24, 40, 3), 3)
    assert spec.size_for((1000, 10)) == spec.size_wh == spec.max_wh == (40, 24)


@pytest.mark.parametrize(
    ("stride", "photo_wh", "size_wh"),
    [(1, (100, 66), (100, 66)), (1, (1024, 600), (512, 300)), (32, (1024, 600), (512, 288)), (32, (5, 5), (32, 32))],
)
def test_an_open_input_has_the_size_of_the_photo_limited_and_rounded_to_the_stride(
    stride: int, photo_wh: tuple[int, int], size_wh: tuple[int, int]
) -> None:
    spec = InputSpec("NHWC", (1, ANY, ANY, 3), 3, stride=stride)
    assert spec.size_wh is None
    assert spec.max_wh == (512, 512)
    assert spec.size_for(photo_wh) == size_wh


def test_a_side_of_fixed_length_is_kept() -> None:
    assert InputSpec("NHWC", (1, 24, ANY, 3), 3).size_for((100, 66)) == (100, 24)


def test_dequantize_reverses_quantize_to_half_a_step() -> None:
    real = np.linspace(0, 1, 50, dtype=np.float32)
    dtype = np.dtype(np.int8)
    stored = InputSpec("HW", (5, 10), 1, dtype, 1 / 255, -128).quantize(real)
    assert stored.dtype == dtype
    restored = OutputSpec(0, "map", "HW", (10, 5), 1, dtype, 1 / 255, -128).dequantize(stored)
    assert np.abs(restored - real).max() <= 0.5 / 255 + 1e-6


def test_values_outside_the_range_of_the_dtype_are_saturated() -> None:
    spec = InputSpec("HW", (1, 2), 1, np.dtype(np.uint8), 1 / 255, 0)
    assert spec.quantize(np.array([-1, 2], np.float32)).tolist() == [0, 255]


def output_detail(*shape: int) -> dict[str, Any]:
    return {"name": "scores", "shape": shape, "dtype": np.float32, "quantization": (0.0, 0)}


@pytest.mark.parametrize(
    ("shape", "axes", "size_wh"),
    [
        ((1, 48 * 64, 3), "1FK", (64, 48)),
        ((1, 24 * 32, 3), "1FK", (32, 24)),
        ((1, 3, 12 * 16), "1KF", (16, 12)),
        ((1, 48 * 64), "1F", (64, 48)),
    ],
)
def test_the_size_of_a_flattened_output_is_that_of_the_input_or_a_fraction_of_it(
    shape: tuple[int, ...], axes: str, size_wh: tuple[int, int]
) -> None:
    (output,) = tensor_specs.read_output_specs([output_detail(*shape)], (64, 48))
    assert (output.axes, output.size_wh) == (axes, size_wh)


def test_height_and_width_are_preferred_to_a_flattened_fraction() -> None:
    (output,) = tensor_specs.read_output_specs([output_detail(1, 64, 64)], (64, 64))
    assert output.axes == "1HW"


def test_as_many_classes_as_a_fraction_of_the_input_has_pixels_are_not_a_segmentation() -> None:
    with pytest.raises(ModelRejected, match="it looks like a classifier"):
        tensor_specs.read_output_specs([output_detail(1, 24 * 32)], (64, 48))
