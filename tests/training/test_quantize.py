from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from model.errors import ModelRejected
from model.options import Options
from model.serving.model_loader import open_segmenter
from model.serving.settings import Settings
from model.tflite import card
from model.training import quantize
from model.training.cli import CommandError
from model.training.data import samples
from model.training.measure import metrics
from model.training.measure.interpreter import Interpreter
from model.training.nets import converter
from tests.support.paths import MODELS, ROOT
from tests.support.training import CARD, RunCommand, error_line


def served_iou(model: Path, discs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> float:
    """Return the mean IoU of the PNG masks that the function's segmenter returns for every photo."""
    monkeypatch.setenv("MODEL_URI", str(model))
    segmenter = open_segmenter(Settings.from_env())
    options = Options.parse({}, segmenter.card)
    tables = []
    for sample in samples.load(*discs).samples:
        answer = segmenter.segment(sample.photo_file.read_bytes(), options)
        with Image.open(io.BytesIO(answer.body)) as mask:
            tables.append(metrics.confusion(np.asarray(mask), np.asarray(sample.ids), 3))
    return float(metrics.ious(np.sum(tables, axis=0)).mean())


@pytest.mark.parametrize("order", ["BGR", "RGB"])
def test_the_u_net_of_the_keras_example_is_converted_and_serves(
    unets: dict[str, Path], discs: tuple[Path, Path], order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = tmp_path / "right.tflite", tmp_path / "wrong.tflite"
    quantize.main([str(unets[order]), "--out", str(right), *CARD, "--order", order])
    assert served_iou(right, discs, monkeypatch) > 0.85
    quantize.main([str(unets[order]), "--out", str(wrong), *CARD, "--order", "RGB" if order == "BGR" else "BGR"])
    assert served_iou(wrong, discs, monkeypatch) < 0.6


def test_every_recipe_writes_a_file_of_its_own_size_and_types(converted: Path) -> None:
    sizes = {recipe: (converted / f"unet-bgr-{recipe}.tflite").stat().st_size for recipe in converter.RECIPES}
    assert len(list(converted.iterdir())) == len(converter.RECIPES)
    assert sizes["float32"] > 1.3 * sizes["float16"]
    assert sizes["float32"] > 1.3 * sizes["int8"]
    for recipe in converter.RECIPES:
        model = Interpreter(converted / f"unet-bgr-{recipe}.tflite")
        assert model.input.dtype == (np.int8 if recipe == "int8-full" else np.float32)
        assert model.input_wh == (64, 64)


@pytest.mark.parametrize("recipe", converter.RECIPES)
def test_every_recipe_serves(
    converted: Path, discs: tuple[Path, Path], recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served_iou(converted / f"unet-bgr-{recipe}.tflite", discs, monkeypatch) > 0.85


def test_the_options_are_embedded_as_the_card(converted: Path) -> None:
    embedded = card.read(converted / "unet-bgr-int8.tflite")
    assert embedded is not None
    assert (embedded.name, embedded.version, embedded.order) == ("discs", "7", "BGR")
    assert (embedded.mean, embedded.std) == ((0, 0, 0), (1, 1, 1))
    assert embedded.labels == ("background", "red", "blue")
    assert (embedded.activation, len(embedded.palette)) == ("none", 3)


def test_a_saved_model_converts_to_the_same_as_its_h5(unets: dict[str, Path], converted: Path, tmp_path: Path) -> None:
    quantize.main([str(unets["saved"]), "--recipe", "float32", "--out", str(tmp_path), *CARD, "--order", "BGR"])
    photo = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    scores = Interpreter(tmp_path / "saved-float32.tflite")(photo)
    assert np.abs(scores - Interpreter(converted / "unet-bgr-float32.tflite")(photo)).max() < 1e-3


def tiny(activation: str | None, size: int | None = 32, classes: int = 1) -> keras.Model:
    """Return a model of one convolution."""
    image = keras.Input((size, size, 3))
    return keras.Model(image, keras.layers.Conv2D(classes, 3, padding="same", activation=activation)(image))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_3_files_convert(tmp_path: Path, suffix: str) -> None:
    tiny("sigmoid").save(tmp_path / f"m{suffix}")
    quantize.main([str(tmp_path / f"m{suffix}")])
    assert (tmp_path / "m-float16.tflite").is_file()


@pytest.mark.parametrize(
    ("recipe", "runtimes", "option"),
    [("float16", "both runtimes", ""), ("dynamic", "LiteRT only (Python 3.12 and later)", " --python 313")],
)
def test_the_runtimes_that_suit_the_recipe_are_printed_with_the_command_that_deploys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: str, runtimes: str, option: str
) -> None:
    tiny("sigmoid").save(tmp_path / "m.keras")
    quantize.main([str(tmp_path / "m.keras"), "--recipe", recipe])
    command = f"./deploy.sh --project PROJECT --model {tmp_path}/m-{recipe}.tflite{option}"
    assert f"  fast in {runtimes}: {command}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("activation", "classes", "expected"),
    [("sigmoid", 1, "none"), (None, 1, "sigmoid"), ("softmax", 3, "none"), (None, 3, "softmax")],
)
def test_the_activation_is_inferred_from_the_output(
    tmp_path: Path, activation: str | None, classes: int, expected: str
) -> None:
    tiny(activation, classes=classes).save(tmp_path / "m.keras")
    quantize.main([str(tmp_path / "m.keras"), "--std", "1"])
    embedded = card.read(tmp_path / "m-float16.tflite")
    assert embedded is not None
    assert embedded.activation == expected


def test_a_model_of_any_input_size_needs_a_size(tmp_path: Path) -> None:
    tiny("sigmoid", size=None).save(tmp_path / "m.keras")
    with pytest.raises(CommandError, match="set one with --size"):
        quantize.main([str(tmp_path / "m.keras")])
    quantize.main([str(tmp_path / "m.keras"), "--size", "48"])
    assert Interpreter(tmp_path / "m-float16.tflite").input_wh == (48, 48)


@pytest.mark.parametrize("recipe", ["float32", "float16", "int8"])
def test_class_ids_of_keras_argmax_convert_and_keep_their_type(
    tmp_path: Path, recipe: str, discs: tuple[Path, Path]
) -> None:
    model = tiny("softmax", classes=3)
    keras.Model(model.input, keras.ops.argmax(model.output, axis=-1)).save(tmp_path / "m.keras")
    quantize.main([str(tmp_path / "m.keras"), "--recipe", recipe, "--photos", str(discs[0])])
    converted = Interpreter(tmp_path / f"m-{recipe}.tflite")
    photo = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    assert converted.output.dtype.kind == "i"
    assert np.mean(converted(photo)[..., 0] == np.argmax(model(photo), axis=-1)) > 0.95


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("bicubic", "set interpolation='bilinear'"),
        ("half", "the converter supports float32 only"),
        ("bessel", "TFLite lacks this operator"),
    ],
)
def test_an_operator_that_cannot_be_converted_is_reported_with_the_next_step(
    tmp_path: Path, name: str, step: str
) -> None:
    kernel = np.ones((1, 1, 3, 1), np.float16)
    functions = {
        "bicubic": lambda x: tf.raw_ops.ResizeBicubic(images=x, size=(32, 32)),
        "half": lambda x: tf.cast(tf.nn.conv2d(tf.cast(x, tf.float16), kernel, 1, "SAME"), tf.float32),
        "bessel": tf.math.bessel_i0,
    }
    module = tf.Module()
    module.run = tf.function(functions[name], input_signature=[tf.TensorSpec((1, 32, 32, 3), tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.run)
    with pytest.raises(CommandError, match=step):
        quantize.main([str(tmp_path / "m")])


def test_a_converted_model_that_crashes_the_runtime_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny("sigmoid").save(tmp_path / "m.keras")
    crashing = (MODELS / "refused" / "crash.tflite").read_bytes()
    monkeypatch.setattr(quantize, "convert", lambda *_: crashing)
    with pytest.raises(ModelRejected, match="SIGABRT"):
        quantize.main([str(tmp_path / "m.keras")])
    assert [file.name for file in tmp_path.iterdir()] == ["m.keras"]


@keras.saving.register_keras_serializable("tests")
class Custom(keras.layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs


def test_a_model_with_custom_objects_is_rejected_in_one_line(tmp_path: Path, run_command: RunCommand) -> None:
    image = keras.Input((32, 32, 3))
    keras.Model(image, keras.layers.Conv2D(1, 1)(Custom()(image))).save(tmp_path / "custom.keras")
    error = error_line(run_command("quantize", tmp_path / "custom.keras"))
    assert "custom.keras cannot be loaded" in error
    assert "Custom" in error
    assert "SavedModel" in error
    assert [p.name for p in tmp_path.iterdir()] == ["custom.keras"]


class Unsupported(tf.Module):
    """A model with an operation that TFLite does not have."""

    @tf.function(input_signature=[tf.TensorSpec((1, 32, 32, 3), tf.float32)])
    def __call__(self, image: Any) -> dict[str, Any]:
        return {"output": tf.raw_ops.Betainc(a=image, b=image, x=image)}


def test_a_failed_conversion_leaves_no_file(tmp_path: Path, run_command: RunCommand) -> None:
    model = Unsupported()
    tf.saved_model.save(model, str(tmp_path / "m"), signatures={"serving_default": model.__call__})
    error = error_line(run_command("quantize", tmp_path / "m", "--out", tmp_path / "out"))
    assert "the recipe float16 cannot convert the model" in error
    assert "Betainc" in error
    assert not any((tmp_path / "out").iterdir())


def test_integer_recipes_need_readable_photos(tmp_path: Path, unets: dict[str, Path]) -> None:
    with pytest.raises(CommandError, match="needs --photos"):
        quantize.main([str(unets["BGR"]), "--recipe", "int8"])
    with pytest.raises(CommandError, match="there are no photos"):
        quantize.main([str(unets["BGR"]), "--recipe", "int8", "--photos", str(tmp_path)])
    (tmp_path / "a.jpg").write_bytes(b"not a photo")
    with pytest.raises(CommandError, match=r"a\.jpg: the data is text, not an image"):
        quantize.main([str(unets["BGR"]), "--recipe", "int8", "--photos", str(tmp_path)])


def test_all_recipes_need_a_folder(unets: dict[str, Path], discs: tuple[Path, Path], tmp_path: Path) -> None:
    options = ["--recipe", "all", "--photos", str(discs[0]), "--out", str(tmp_path / "m.tflite")]
    with pytest.raises(CommandError, match="--out must be a folder"):
        quantize.main([str(unets["BGR"]), *options])


def test_a_wrong_number_of_classes_is_rejected(unets: dict[str, Path]) -> None:
    with pytest.raises(CommandError, match="has 2 classes"):
        quantize.main([str(unets["BGR"]), "--classes", "background,disc"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.h5", None, "there is no model at"),
        ("bad.h5", b"no model", "was not written by Keras"),
        ("bad.txt", b"no model", "nor a SavedModel folder"),
    ],
)
def test_a_file_that_is_not_a_model_is_rejected(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=message):
        quantize.main([str(tmp_path / name)])


def test_a_file_of_weights_only_is_rejected(tmp_path: Path) -> None:
    tiny("sigmoid").save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(CommandError, match="holds only weights"):
        quantize.main([str(tmp_path / "m.weights.h5")])


def test_a_full_disk_leaves_no_file(unets: dict[str, Path], tmp_path: Path) -> None:
    """A limit on the size of files simulates the full disk: writing fails at the same place."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    options = [str(unets["BGR"]), "--out", str(tmp_path / "out"), *CARD]
    command = [sys.executable, "-m", "model.training.quantize", *options]
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # it writes files too
    completed = subprocess.run(command, cwd=ROOT, env=env, preexec_fn=limit, capture_output=True, text=True)
    assert "File too large" in error_line(completed)
    assert not any((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", ["dataset", "train", "quantize", "evaluate", "describe", "publish", "measure.latency"])
def test_every_command_prints_its_help_without_importing_tensorflow(name: str, run_command: RunCommand) -> None:
    completed = run_command(name, "--help", PYTHONPROFILEIMPORTTIME="1")
    assert completed.returncode == 0
    assert f"python -m model.training.{name}" in completed.stdout
    assert "tensorflow" not in completed.stderr
    assert "keras" not in completed.stderr
