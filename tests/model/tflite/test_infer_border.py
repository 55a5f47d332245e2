from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.image import resize
from model.tflite.card import ModelCard
from model.tflite.infer_border import infer_border
from model.tflite.tensor_specs import OutputSpec


def grey(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(image.mean(axis=-1, keepdims=True), np.float32)


@pytest.mark.parametrize(("input_wh", "output_wh"), [((188, 188), (100, 100)), ((284, 188), (196, 100))])
def test_an_output_of_the_middle_of_the_input_has_a_border(
    input_wh: tuple[int, int], output_wh: tuple[int, int]
) -> None:
    output = OutputSpec(0, "map", "1HWK", output_wh, 1)
    assert infer_border(output, input_wh, ModelCard(), lambda image, _: grey(image[44:-44, 44:-44])) == 44


@pytest.mark.parametrize("side", [100, 94, 188])
def test_an_output_of_the_whole_input_has_no_border(side: int) -> None:
    def infer(image: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
        return grey(resize.bilinear(image, (side, side)))

    assert infer_border(OutputSpec(0, "map", "1HWK", (side, side), 1), (188, 188), ModelCard(), infer) == 0


@pytest.mark.parametrize(("side", "length"), [(513, 129), (65, 33), (256, 64), (225, 113)])
def test_an_output_at_a_whole_stride_is_not_measured(side: int, length: int) -> None:
    def infer(image: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
        raise AssertionError("the model is run")

    assert infer_border(OutputSpec(0, "map", "1HWK", (length, length), 1), (side, side), ModelCard(), infer) == 0
