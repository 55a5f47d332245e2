"""The card that quantize embeds: what was stated or found out, and nothing else."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray
from PIL import Image

from model.options import Options
from model.serving.model_loader import open_segmenter
from model.serving.settings import Settings
from model.tflite import card, loading
from model.tflite.loading import LoadedModel
from model.training import quantize
from model.training.cli import CommandError
from model.training.nets import input_scaling, keras_files


def save(folder: Path, build: Any, *, size: int = 32) -> Path:
    """Save the model that a function of its input builds, and return its file."""
    keras.utils.set_random_seed(1)
    image = keras.Input((size, size, 3))
    keras.Model(image, build(image)).save(folder / "m.keras")
    return folder / "m.keras"


@keras.saving.register_keras_serializable("tests")
class ArgMax(layers.Layer):
    """TensorFlow's arg-max; that of Keras does not convert."""

    def __init__(self, ids_dtype: str, **options: Any) -> None:
        super().__init__(**options)
        self.ids_dtype = ids_dtype

    def call(self, scores: Any) -> Any:
        return tf.cast(tf.argmax(scores, axis=-1), self.ids_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ids_dtype": self.ids_dtype}


def conv(channels: int, activation: str | None = None, size: int = 3, padding: str = "same") -> Any:
    return layers.Conv2D(channels, size, padding=padding, activation=activation)


def quantized(file: Path, *options: str) -> LoadedModel:
    """Return the model that quantize writes, as the function loads it."""
    target = file.with_suffix(".tflite")
    quantize.main([str(file), "--recipe", "float32", "--out", str(target), *options])
    return loading.load(target, 1)


def served(file: Path, photo: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the mask of a photo that the function's segmenter returns."""
    segmenter = open_segmenter(Settings(model_uri=str(file)))
    png = io.BytesIO()
    Image.fromarray(photo).save(png, "PNG")
    return np.asarray(Image.open(io.BytesIO(segmenter.segment(png.getvalue(), Options.parse({}, segmenter.card)).body)))


def test_only_what_was_stated_or_found_out_is_embedded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = save(tmp_path, conv(2, "softmax"))
    loaded = quantized(file, "--classes", "pet,background")
    values = card.read_values(tmp_path / "m.tflite")
    assert values == {"name": "m", "labels": ["pet", "background"], "activation": "none", "background": 1}
    assert loaded.card.background == 1
    output = capsys.readouterr().out
    assert "input: 32 x 32, RGB, pixel / 255 (assumed)" in output
    assert "background background (inferred)" in output
    assert "the class of 0.00% of the pixels changes" in output


def test_the_background_is_the_class_of_that_name_wherever_it_stands(tmp_path: Path) -> None:
    loaded = quantized(save(tmp_path, conv(3, "softmax")), "--classes", "pet,background,border")
    assert (loaded.card.background, loaded.card.labels) == (1, ("pet", "background", "border"))
    loaded = quantized(tmp_path / "m.keras", "--classes", "pet,sky,border", "--background", "sky")
    assert loaded.card.background == 1


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Rescaling(1 / 255), (0, 255)),
        (layers.Rescaling(1 / 127.5, -1), (0, 255)),
        (layers.Normalization(mean=[123.0, 116.0, 103.0], variance=[3364.0, 3249.0, 3249.0]), (0, 255)),
        (layers.Normalization(mean=[0.48, 0.45, 0.4], variance=[0.052, 0.05, 0.05]), (0, 1)),
        (layers.Rescaling(2.0, -1), (0, 1)),
        (lambda image: image[..., ::-1] - np.array([103.9, 116.8, 123.7], np.float32), (0, 255)),
        (layers.BatchNormalization(), None),
        (layers.Identity(), None),
    ],
)
def test_the_range_that_a_model_takes_is_found_in_its_first_layers(
    tmp_path: Path, layer: Any, expected: tuple[float, float] | None
) -> None:
    file = save(tmp_path, lambda image: conv(1, "sigmoid")(layer(image)))
    function = keras_files.load(file).function
    assert input_scaling.taken_range(function) == expected


def test_a_model_that_scales_its_input_itself_gets_pixel_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = save(tmp_path, lambda x: conv(1, "sigmoid")(layers.Rescaling(1 / 255)(x)))
    loaded = quantized(file)
    assert (loaded.card.mean, loaded.card.std) == ((0,) * 3, (1,) * 3)
    assert "RGB, pixel (the model scales its input itself" in capsys.readouterr().out
    with pytest.raises(CommandError, match="use --preprocess none"):
        quantized(file, "--preprocess", "0-1")
    keras.saving.load_model(file).export(str(tmp_path / "saved"), verbose=False)
    with pytest.raises(CommandError, match="use --preprocess none"):
        quantized(tmp_path / "saved", "--preprocess", "minus1-1")


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
def test_class_ids_stay_class_ids(tmp_path: Path, dtype: str) -> None:
    def build(image: Any) -> Any:
        return ArgMax(dtype)(conv(3)(image))

    file = save(tmp_path, build)
    loaded = quantized(file, "--std", "1")
    assert (loaded.card.activation, len(loaded.card.labels)) == ("ids", 3)
    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    expected = np.asarray(keras.saving.load_model(file)(photo[np.newaxis].astype(np.float32)))[0]
    assert (served(tmp_path / "m.tflite", photo) == expected).mean() > 0.99
    assert quantized(file, "--activation", "ids").card.activation == "ids"
    with pytest.raises(CommandError, match="--classes has 2 classes"):
        quantized(file, "--activation", "ids", "--classes", "background,pet")
    with pytest.raises(CommandError, match="use --activation ids"):
        quantized(file, "--activation", "softmax")


@pytest.mark.parametrize(
    ("channels", "last", "options", "message"),
    [
        (1, "sigmoid", ["--activation", "sigmoid"], "ends in a sigmoid already"),
        (3, "softmax", ["--activation", "softmax"], "ends in a softmax already"),
        (3, "softmax", ["--activation", "ids"], "3 channels of scores"),
        (1, "sigmoid", ["--activation", "ids"], "outputs fractions"),
        (1, "sigmoid", ["--classes", "pet,background"], "if it is that of pet, use --classes background,pet"),
        (3, "sigmoid", [], "independent of each other"),
        (3, "softmax", ["--classes", "background,a,b,c"], "has 4 classes"),
        (3, "sigmoid", ["--classes", "a,b,c,d"], "has 4 classes"),
        (1, "sigmoid", ["--size", "48x32"], "fixed size 32x32"),
        (1, "sigmoid", ["--max-change", "-1"], "--max-change allows"),
    ],
)
def test_options_that_contradict_the_model_are_rejected(
    tmp_path: Path, channels: int, last: str, options: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        quantized(save(tmp_path, conv(channels, last)), *options)
    assert [file.name for file in tmp_path.iterdir()] == ["m.keras"]


def test_scores_that_are_independent_of_each_other_have_a_background_of_their_own(tmp_path: Path) -> None:
    file = save(tmp_path, conv(2, "sigmoid", 1))
    options = ["--classes", "cat,dog", "--threshold", "0.5,0.7", "--std", "1"]
    loaded = quantized(file, *options)
    assert (loaded.card.labels, loaded.card.thresholds) == (("background", "cat", "dog"), (0.5, 0.7))
    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    scores = np.asarray(keras.saving.load_model(file)(photo[np.newaxis].astype(np.float32)))[0]
    mask = served(tmp_path / "m.tflite", photo)
    assert ((mask > 0) == (scores >= [0.5, 0.7]).any(axis=-1)).mean() > 0.99
    labels = quantized(file, "--classes", "background,dog").card.labels
    assert labels == ("background", "dog")


def test_a_linear_output_near_0_to_1_is_asked_about(tmp_path: Path) -> None:
    file = save(tmp_path, lambda x: layers.Rescaling(1.2, -0.1)(layers.AveragePooling2D(1)(x[..., :1])))
    with pytest.raises(CommandError, match="use --activation none; if it holds logits, --activation sigmoid"):
        quantized(file)
    assert quantized(file, "--activation", "none").card.activation == "none"


def test_the_output_of_a_network_with_valid_padding_has_a_border(tmp_path: Path) -> None:
    def build(image: Any) -> Any:
        middle = layers.Cropping2D(12)(image)
        return layers.Activation("sigmoid")(layers.Conv2D(1, 1)(layers.Concatenate()([middle, middle])))

    loaded = quantized(save(tmp_path, build, size=64), "--preprocess", "minus1-1")
    assert (loaded.output.size_wh, loaded.card.border) == ((40, 40), 12)
    photo = np.zeros((40, 40, 3), np.uint8)
    photo[:, 20:] = 255
    mask = served(tmp_path / "m.tflite", photo)
    assert mask.shape == (40, 40)
    assert {mask[:, :20].mean(), mask[:, 20:].mean()} == {0, 1}


def test_a_size_may_be_a_width_and_a_height(tmp_path: Path) -> None:
    image = keras.Input((None, None, 3))
    keras.Model(image, conv(1, "sigmoid")(image)).save(tmp_path / "m.keras")
    assert quantized(tmp_path / "m.keras", "--size", "48x32").input.size_wh == (48, 32)


def test_a_card_file_does_not_turn_inference_off_for_other_fields(tmp_path: Path) -> None:
    file = save(tmp_path, conv(1))
    (tmp_path / "c.json").write_text('{"version": "3", "mean": [0], "std": [1]}')
    loaded = quantized(file, "--card", str(tmp_path / "c.json"))
    assert (loaded.card.version, loaded.card.activation) == ("3", "sigmoid")
