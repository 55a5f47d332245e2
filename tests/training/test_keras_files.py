from __future__ import annotations

import base64
import dis
import json
import marshal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from model.errors import ModelRejected
from model.training.cli import CommandError
from model.training.nets import keras_files
from model.training.nets.keras_files import LoadOptions
from tests.support.paths import ROOT

SPEC = tf.TensorSpec((1, 32, 32, 3), tf.float32)


def save(tmp_path: Path, inputs: object, outputs: object) -> Path:
    """Save a Keras model and return its file."""
    file = tmp_path / "m.keras"
    keras.Model(inputs, outputs).save(file)
    return file


def conv(classes: int, name: str, stride: int = 1) -> keras.layers.Layer:
    """Return a convolution of 1 x 1."""
    return keras.layers.Conv2D(classes, 1, strides=stride, name=name)


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A model with a coarse output, an edge channel, and the class scores."""
    image = keras.Input((32, 24, 3))
    outputs = {
        name: conv(classes, name, stride)(image)
        for name, classes, stride in [("coarse", 4, 2), ("edge", 1, 1), ("scores", 4, 1)]
    }
    return save(tmp_path, image, outputs)


def test_of_several_outputs_the_largest_with_several_classes_is_used_and_named(several: Path) -> None:
    model = keras_files.load(several)
    assert (model.output.name, model.classes) == ("scores", 4)
    assert model.notes == ("of 3 outputs, number 2 (scores) is used, chosen by its shape; --output selects another",)
    assert model(np.zeros((1, 32, 24, 3), np.float32)).shape == (1, 32, 24, 4)


@pytest.mark.parametrize("options", [LoadOptions(output="edge"), LoadOptions(output=1), LoadOptions(classes=1)])
def test_the_user_selects_the_output(several: Path, options: LoadOptions) -> None:
    assert keras_files.load(several, options=options).output.name == "edge"


def test_an_unknown_output_is_rejected_with_the_choices(several: Path) -> None:
    with pytest.raises(ModelRejected, match=r"output 'depth' .* choose from 0 \(coarse\), 1 \(edge\), 2 \(scores\)"):
        keras_files.load(several, options=LoadOptions(output="depth"))


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (keras.layers.Lambda(lambda x: keras.ops.argmax(x, -1)), "i"),
        (keras.layers.Lambda(lambda x: keras.ops.cast(keras.ops.argmax(x, -1), "uint8")), "u"),
        (keras.layers.Lambda(lambda x: x[..., 0] > 0), "b"),
    ],
)
def test_class_ids_keep_their_type(tmp_path: Path, layer: Any, kind: str) -> None:
    image = keras.Input((32, 24, 3))
    keras.Model(image, layer(conv(3, "scores")(image))).export(tmp_path / "m", verbose=False)
    model = keras_files.load(tmp_path / "m")
    assert model.output.dtype.kind == kind
    output = model(np.zeros((1, 32, 24, 3), np.float32))
    assert (output.shape, output.dtype.kind) == ((1, 32, 24, 1), kind)


@pytest.mark.parametrize(
    ("shape", "input_axes", "function", "output_axes"),
    [
        ((1, 24, 40, 1), "NHWC", lambda x: x * 2, "1HW1"),
        ((1, 3, 24, 40), "NCHW", lambda x: x, "1KHW"),
        ((1, 24, 40, 3), "NHWC", lambda x: x[..., 0], "1HW"),
        ((1, 24, 40, 3), "NHWC", lambda x: tf.reshape(x, (1, -1, 3)), "1FK"),
        ((24, 40, 3), "HWC", lambda x: x[..., 0], "HW"),
    ],
    ids=["grey", "nchw", "no channel", "flat", "no batch"],
)
def test_the_axes_that_the_function_serves_are_read(
    tmp_path: Path, shape: tuple[int, ...], input_axes: str, function: Callable[[Any], Any], output_axes: str
) -> None:
    save_module(tmp_path / "m", tf.TensorSpec(shape, tf.float32), function)
    model = keras_files.load(tmp_path / "m")
    assert (model.input.axes, model.input_wh, model.output.axes) == (input_axes, (40, 24), output_axes)
    assert model(np.zeros(shape, np.float32)).shape == (1, 24, 40, model.classes)


@pytest.mark.parametrize("dtype", [tf.float64, tf.float16, tf.uint8])
def test_inputs_of_other_types_are_converted(tmp_path: Path, dtype: Any) -> None:
    save_module(tmp_path / "m", tf.TensorSpec((1, 24, 40, 3), dtype), lambda x: tf.cast(x, tf.float64) / 100)
    model = keras_files.load(tmp_path / "m")
    assert model.takes_bytes == (dtype == tf.uint8)
    output = model(np.full((1, 24, 40, 3), 50, np.float32))
    assert output.dtype == np.float32
    assert output == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(32, 32, 5), (32,)])
def test_a_model_whose_input_is_not_a_photo_is_rejected(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = keras.Input(shape)
    with pytest.raises(ModelRejected, match="the model's input has"):
        keras_files.load(save(tmp_path, values, keras.layers.ReLU()(values)))


def test_a_classifier_is_rejected(tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3))
    scores = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(image))
    with pytest.raises(ModelRejected, match="it looks like a classifier"):
        keras_files.load(save(tmp_path, image, scores))


def test_a_model_with_two_inputs_is_rejected(tmp_path: Path) -> None:
    images = [keras.Input((32, 32, 3), name=name) for name in ("left", "right")]
    with pytest.raises(CommandError, match="has 2 inputs"):
        keras_files.load(save(tmp_path, images, keras.layers.Add()(images)))


def test_a_size_that_the_model_cannot_run_at_is_rejected_with_one_that_works(tmp_path: Path) -> None:
    image = keras.Input((None, None, 3))
    half = keras.layers.Conv2D(3, 2, strides=2)(image)
    model = save(tmp_path, image, keras.layers.Add()([image, keras.layers.UpSampling2D()(half)]))
    with pytest.raises(CommandError, match="cannot run on a photo of 33 x 33, but on multiples of 32; set --size 32"):
        keras_files.load(model, 33)
    assert keras_files.load(model, (64, 32)).input_wh == (64, 32)


def save_module(folder: Path, spec: tf.TensorSpec, function: Callable[[Any], Any]) -> None:
    """Save a function of one tensor as a SavedModel."""
    module = tf.Module()
    module.run = tf.function(function, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures=module.run)


class Module(tf.Module):
    """A model with the given number of outputs."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    @tf.function(input_signature=[SPEC])
    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {f"output{i}": image * i for i in range(self.outputs)}


def test_a_saved_model_needs_a_known_signature_or_the_name_of_one(tmp_path: Path) -> None:
    module = Module(1)
    signatures = {"score": module.__call__, "other": module.__call__}
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=signatures)
    with pytest.raises(CommandError, match="has no signature serving_default or serve; set --signature to one of"):
        keras_files.load(tmp_path / "m")
    assert keras_files.load(tmp_path / "m", options=LoadOptions(signature="score")).classes == 3


def test_the_only_signature_of_a_saved_model_is_used(tmp_path: Path) -> None:
    module = Module(1)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"score": module.__call__})
    assert keras_files.load(tmp_path / "m").classes == 3


def test_an_output_of_a_saved_model_is_selected(tmp_path: Path) -> None:
    module = Module(2)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"serve": module.__call__})
    model = keras_files.load(tmp_path / "m", options=LoadOptions(output="output1"))
    assert model(np.ones(SPEC.shape, np.float32)).max() == 1


def test_a_folder_that_is_not_a_saved_model_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be loaded as a SavedModel"):
        keras_files.load(tmp_path)


def test_a_training_input_is_set_to_inference(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        image = tf.compat.v1.placeholder(tf.float32, (None, 32, 32, 3), "image")
        training = tf.compat.v1.placeholder(tf.bool, (), "is_training")
        scores = tf.cond(training, lambda: image * 0.0, lambda: image * 2.0)
        tf.compat.v1.saved_model.simple_save(
            session, str(tmp_path / "m"), {"image": image, "is_training": training}, {"scores": scores}
        )
    model = keras_files.load(tmp_path / "m")
    assert model.notes == ("the input is_training is set to False",)
    assert model(np.ones((1, 32, 32, 3), np.float32)).max() == 2


def batch_norm_model(library: Any) -> Any:
    """Return a model whose batch normalization differs between training and inference."""
    image = library.Input((32, 32, 3))
    model = library.Model(image, library.layers.BatchNormalization()(image))
    model.layers[-1].set_weights([np.full(3, value, np.float32) for value in (1, 0, 5, 4)])
    return model


def test_a_signature_in_training_mode_is_replaced_by_a_call_in_inference_mode(tmp_path: Path) -> None:
    model = batch_norm_model(tf_keras)
    train = tf.function(lambda image: model(image, training=True), input_signature=[tf.TensorSpec((None, 32, 32, 3))])
    model.save(str(tmp_path / "m"), save_format="tf", signatures={"serving_default": train})
    loaded = keras_files.load(tmp_path / "m")
    assert "training=False" in loaded.notes[0]
    photo = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    assert loaded(photo) == pytest.approx(np.asarray(model(photo, training=False)), abs=1e-4)


def test_a_signature_that_exists_in_training_mode_only_is_rejected(tmp_path: Path) -> None:
    model = batch_norm_model(keras)
    archive = keras.export.ExportArchive()
    archive.track(model)
    spec = [tf.TensorSpec((None, 32, 32, 3))]
    archive.add_endpoint("serve", lambda image: model(image, training=True), spec)
    archive.write_out(str(tmp_path / "m"), verbose=False)
    with pytest.raises(CommandError, match="depends on the other photos of its batch"):
        keras_files.load(tmp_path / "m")


@pytest.mark.parametrize("count", [2, 3])
def test_of_outputs_of_one_shape_the_user_must_choose(tmp_path: Path, count: int) -> None:
    image = keras.Input((32, 32, 3))
    file = save(tmp_path, image, {f"side{i}": conv(1, f"side{i}")(image) for i in range(count)})
    with pytest.raises(CommandError, match=rf"has {count} outputs of the same shape; choose one with --output: 0 \(si"):
        keras_files.load(file)
    assert keras_files.load(file, options=LoadOptions(output=1)).output.name == "side1"


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["Keras 3", "Keras 2"])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_model_of_another_precision_is_loaded_in_float32(
    tmp_path: Path, library: Any, policy: str, suffix: str
) -> None:
    previous = library.mixed_precision.global_policy() if library is tf_keras else library.config.dtype_policy()
    library.mixed_precision.set_global_policy(policy)
    try:
        image = library.Input((32, 24, 3))
        scores = library.layers.BatchNormalization()(library.layers.Conv2D(4, 3, padding="same")(image))
        model = library.Model(image, library.layers.Conv2D(2, 1, activation="softmax")(scores))
        model.save(tmp_path / f"m{suffix}")
    finally:
        library.mixed_precision.set_global_policy(previous)
    loaded = keras_files.load(tmp_path / f"m{suffix}")
    types = {tensor.dtype for op in loaded.function.graph.get_operations() for tensor in op.outputs}
    assert not types & {tf.float16, tf.bfloat16, tf.float64}
    photo = np.random.default_rng(0).random((1, 32, 24, 3), np.float32)
    assert loaded(photo) == pytest.approx(np.asarray(model(photo), np.float32), abs=0.02)


CUSTOM = """
import {library} as keras


class Gate(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2


def double(x):
    return x * 2
"""


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["Keras 3", "Keras 2"])
def test_custom_objects_come_from_a_file_or_a_module(
    tmp_path: Path, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / f"layers_of_{library.__name__}.py"
    source.write_text(CUSTOM.format(library=library.__name__))
    objects: dict[str, Any] = {"__name__": "elsewhere"}
    exec(source.read_text(), objects)
    image = library.Input((32, 24, 3))
    library.Model(image, objects["Gate"]()(library.layers.Activation(objects["double"])(image))).save(
        tmp_path / "m.keras"
    )
    with pytest.raises(CommandError, match="--custom-objects, or export a SavedModel"):
        keras_files.load(tmp_path / "m.keras")
    photo = np.ones((1, 32, 24, 3), np.float32)
    assert keras_files.load(tmp_path / "m.keras", options=LoadOptions(custom_objects=str(source)))(photo).max() == 4
    monkeypatch.syspath_prepend(str(tmp_path))
    assert keras_files.load(tmp_path / "m.keras", options=LoadOptions(custom_objects=source.stem))(photo).max() == 4


@pytest.mark.parametrize("name", ["none.py", "no_such_module"])
def test_custom_objects_that_cannot_be_imported_are_reported(tmp_path: Path, name: str) -> None:
    image = keras.Input((32, 24, 3))
    file = save(tmp_path, image, conv(1, "mask")(image))
    with pytest.raises(CommandError, match=f"--custom-objects {name} cannot be imported"):
        keras_files.load(file, options=LoadOptions(custom_objects=name))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_layers_and_functions_of_common_packages_are_known(tmp_path: Path, suffix: str) -> None:
    class FixedDropout(tf_keras.layers.Dropout):
        pass

    class GELU(tf_keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return tf_keras.activations.gelu(inputs, approximate=True)

    def swish(x: Any) -> Any:
        return x * tf.sigmoid(x)

    image = tf_keras.Input((32, 24, 3))
    values = FixedDropout(0.5, noise_shape=(None, 1, 1, None))(tf_keras.layers.Activation(swish)(GELU()(image)))
    model = tf_keras.Model(image, values)
    model.save(tmp_path / f"m{suffix}")
    photo = np.random.default_rng(0).random((1, 32, 24, 3), np.float32)
    assert keras_files.load(tmp_path / f"m{suffix}")(photo) == pytest.approx(np.asarray(model(photo)), abs=1e-5)


def test_a_lambda_layer_is_rejected_with_the_way_to_export_it(tmp_path: Path) -> None:
    image = keras.Input((32, 24, 3))
    file = save(tmp_path, image, keras.layers.Lambda(lambda x: x / 255)(image))
    with pytest.raises(CommandError, match="one version of Python; export a SavedModel"):
        keras_files.load(file)


def with_lambda_code(file: Path, code: bytes) -> None:
    """Replace the bytecode of the Lambda layer of an .h5 file."""
    with h5py.File(file, "r+") as stored:
        config = json.loads(stored.attrs["model_config"])
        layer = next(each for each in config["config"]["layers"] if each["class_name"] == "Lambda")
        layer["config"]["function"] = [base64.b64encode(code).decode(), None, None]
        stored.attrs["model_config"] = json.dumps(config)


def crashing_code() -> bytes:
    """Return bytecode that crashes Python: it reads a local variable far outside the frame."""
    code = (lambda x: x).__code__
    far = bytes([dis.opmap["EXTENDED_ARG"], 127] * 3 + [dis.opmap["LOAD_FAST"], 0, dis.opmap["RETURN_VALUE"], 0])
    return marshal.dumps(code.replace(co_code=code.co_code[:2] + far))


@pytest.mark.parametrize("code", [crashing_code(), b"not bytecode"], ids=["crash", "error"])
def test_lambda_bytecode_of_another_python_is_rejected(tmp_path: Path, code: bytes) -> None:
    image = tf_keras.Input((32, 24, 3))
    file = tmp_path / "m.h5"
    tf_keras.Model(image, tf_keras.layers.Lambda(lambda x: x / 255)(image)).save(file)
    assert keras_files.load(file)(np.full((1, 32, 24, 3), 255, np.float32)).max() == 1
    with_lambda_code(file, code)
    with pytest.raises(CommandError, match="bytecode of one version of Python; export a SavedModel"):
        keras_files.load(file)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("m.tflite", "describe FILE.tflite --write"),
        ("m.onnx", "onnx2tf"),
        ("m.pt", "torch.onnx.export"),
        ("m.pth", "torch.onnx.export"),
        ("m.pb", "the folder of the SavedModel"),
        ("m.json", "without weights"),
        ("m.index", "only weights"),
        ("m.bin", "model.save"),
    ],
)
def test_a_file_of_another_format_is_rejected_with_the_next_step(tmp_path: Path, name: str, step: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(CommandError, match=step):
        keras_files.load(tmp_path / name)


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["Keras 3", "Keras 2"])
def test_the_export_that_the_documents_advise_is_in_inference_mode(tmp_path: Path, library: Any) -> None:
    section = (ROOT / "docs" / "training.md").read_text().partition("## Export a SavedModel")[2]
    code = section.partition("```python\n")[2].partition("```")[0]
    model = batch_norm_model(library)
    exec(code.replace("FOLDER", str(tmp_path / "m")), {"model": model})
    loaded = keras_files.load(tmp_path / "m")
    photo = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    assert loaded(photo) == pytest.approx(np.asarray(model(photo, training=False)), abs=1e-4)
