from __future__ import annotations

from pathlib import Path

import keras
import pytest
import tensorflow as tf

from model.training.cli import CommandError
from model.training.nets import keras_files

SPEC = tf.TensorSpec((1, 32, 32, 3), tf.float32)


def save(tmp_path: Path, inputs: object, outputs: object) -> Path:
    """Save a Keras model and return its file."""
    file = tmp_path / "m.keras"
    keras.Model(inputs, outputs).save(file)
    return file


def test_a_model_with_two_outputs_is_rejected(tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3))
    with pytest.raises(CommandError, match="1 inputs and 2 outputs"):
        keras_files.load(save(tmp_path, image, [keras.layers.Conv2D(1, 1)(image), keras.layers.Conv2D(2, 1)(image)]))


@pytest.mark.parametrize("shape", [(32, 32, 1), (32,)])
def test_a_model_whose_input_is_not_a_photo_is_rejected(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = keras.Input(shape)
    with pytest.raises(CommandError, match=r"it must be \(N, height, width, 3\)"):
        keras_files.load(save(tmp_path, values, keras.layers.ReLU()(values)))


def test_a_classifier_is_rejected(tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3))
    scores = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(image))
    with pytest.raises(CommandError, match=r"the output of m\.keras has the shape \(1, 3\)"):
        keras_files.load(save(tmp_path, image, scores))


def test_a_model_that_cannot_run_at_the_given_size_is_rejected(tmp_path: Path) -> None:
    image = keras.Input((None, None, 3))
    half = keras.layers.Conv2D(3, 2, strides=2)(image)
    model = save(tmp_path, image, keras.layers.Add()([image, keras.layers.UpSampling2D()(half)]))
    with pytest.raises(CommandError, match="cannot run on a photo of 33 x 33"):
        keras_files.load(model, 33)


class Module(tf.Module):
    """A model with the given number of outputs."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    @tf.function(input_signature=[SPEC])
    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {f"output{i}": image * i for i in range(self.outputs)}


def test_a_saved_model_with_another_signature_is_rejected(tmp_path: Path) -> None:
    module = Module(1)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"score": module.__call__})
    with pytest.raises(CommandError, match="has no signature serving_default or serve"):
        keras_files.load(tmp_path / "m")


def test_a_saved_model_with_two_outputs_is_rejected(tmp_path: Path) -> None:
    module = Module(2)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"serve": module.__call__})
    with pytest.raises(CommandError, match="1 inputs and 2 outputs"):
        keras_files.load(tmp_path / "m")


def test_a_folder_that_is_not_a_saved_model_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be loaded as a SavedModel"):
        keras_files.load(tmp_path)
