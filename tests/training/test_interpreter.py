from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from model.errors import ModelRejected
from model.tflite.card import ModelCard
from model.training import describe
from model.training.measure.interpreter import Interpreter
from tests.support.paths import MODELS


@pytest.mark.parametrize(
    ("name", "classes"), [("probability", 1), ("flat-classes", 4), ("int8-classes", 4), ("no-channel", 1)]
)
def test_the_output_has_the_axes_of_a_photo_and_its_classes(name: str, classes: int) -> None:
    model = Interpreter(MODELS / "served" / f"{name}.tflite")
    assert (model.input_wh, model.classes) == ((40, 24), classes)
    output = model(np.zeros((1, 24, 40, 3), np.float32))
    assert output.dtype == np.float32
    assert output.shape == (1, 24, 40, classes)


def test_the_output_is_the_one_that_the_card_selects(tmp_path: Path) -> None:
    file = Path(shutil.copy(MODELS / "served" / "several.tflite", tmp_path))
    assert Interpreter(file).output.index == 2
    describe.write_card(file, ModelCard(output=1))
    assert Interpreter(file).output.index == 1


@pytest.mark.parametrize("file", sorted((MODELS / "served").glob("*.tflite")), ids=lambda file: file.stem)
def test_every_model_that_the_function_serves_is_run(file: Path) -> None:
    model = Interpreter(file)
    size_wh = model.input.size_wh or (64, 96)
    output = model(np.zeros(model.input.with_size(size_wh).shape, np.float32))
    assert output.ndim == 4
    assert output.shape[-1] == model.classes


@pytest.mark.parametrize("name", ["classifier", "two-inputs"])
def test_a_model_that_the_function_rejects_is_rejected(name: str) -> None:
    with pytest.raises(ModelRejected):
        Interpreter(MODELS / "refused" / f"{name}.tflite")


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Interpreter(tmp_path / "none.tflite")
