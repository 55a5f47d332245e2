from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.image import overlap_tile
from model.tflite.card import ModelCard
from model.tflite.tensor_specs import InputSpec

SPEC = InputSpec("NHWC", (1, 30, 38, 3), 3)


@pytest.mark.parametrize("border", [1, 4, 10, 13])
def test_the_outputs_of_the_middle_cover_the_whole_photo(border: int) -> None:
    card = ModelCard(mean=(0.0,) * 3, std=(1.0,) * 3, border=border)
    photo = np.random.default_rng(1).integers(0, 256, (30, 38, 3), np.uint8)

    def run(tensor: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(tensor[0, border:-border, border:-border])

    assert (overlap_tile.infer(run, photo, (38, 30), card, SPEC) == photo).all()


def test_the_photo_is_mirrored_beyond_its_edges() -> None:
    card = ModelCard(mean=(0.0,) * 3, std=(1.0,) * 3, border=4)
    photo = np.random.default_rng(1).integers(0, 256, (30, 38, 3), np.uint8)
    tensors: list[NDArray[Any]] = []

    def run(tensor: NDArray[Any]) -> NDArray[Any]:
        tensors.append(tensor[0])
        return np.asarray(tensor[0, 4:-4, 4:-4])

    overlap_tile.infer(run, photo, (38, 30), card, SPEC)
    assert (tensors[0][:4, 4:] == photo[3::-1, :-4]).all()
    assert len(tensors) == 4


def test_outputs_begin_at_both_edges() -> None:
    assert overlap_tile.offsets(188, 44) == [0, 88]
    assert overlap_tile.offsets(20, 8) == [0, 4, 8, 12, 16]
