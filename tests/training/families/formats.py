"""Models in unusual files: data types, signatures, TensorFlow 1, custom layers, and files that are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.families import nets
from tests.training.families.family import Step, Trained, family
from tests.training.families.training import above_half, argmax, raw, trained, zero_to_one


def _signature(model: Any, dtype: Any = np.float32, scale: float = 1.0) -> Any:
    """Return a concrete function that runs a model on photos of a type, scaled."""
    import tensorflow as tf

    def call(image: Any) -> dict[str, Any]:
        return {"mask": tf.cast(model(tf.cast(image, tf.float32) * scale, training=False), tf.float32)}

    return tf.function(call).get_concrete_function(tf.TensorSpec((None, 64, 64, 3), dtype, name="image"))


def _save_module(path: Path, signatures: dict[str, Any], *owned: Any) -> None:
    """Write a SavedModel with signatures, and the models whose variables they use."""
    import tensorflow as tf

    module = tf.Module()
    module.owned = list(owned)
    tf.saved_model.save(module, str(path), signatures)


@family("keras3-export", "Keras 3 model.export(), SavedModel, softmax of two")
def keras3_export(folder: Path) -> Trained:
    import keras

    return trained(folder, nets.unet(keras, 2, "softmax"), zero_to_one, argmax, name="saved")


@family("keras2-savedmodel", "Keras 2 model.save(FOLDER), SavedModel")
def keras2_savedmodel(folder: Path) -> Trained:
    import tf_keras

    return trained(
        folder, nets.unet(tf_keras), zero_to_one, above_half, name="saved", save=lambda model, path: model.save(path)
    )


@family("mixed-float16", "trained under the policy mixed_float16, .keras")
def mixed_float16(folder: Path) -> Trained:
    import keras

    def save(model: Any, path: Path) -> None:
        keras.mixed_precision.set_global_policy("mixed_float16")
        mixed = nets.unet(keras)
        mixed.set_weights(model.get_weights())
        mixed.save(path)
        keras.mixed_precision.set_global_policy("float32")
        model.save(folder / "float32.keras")

    steps = (Step("float32", file=folder / "float32.keras"),)
    return trained(folder, nets.unet(keras), zero_to_one, above_half, save=save, steps=steps)


@family("mixed-float16-out", "mixed_float16 with a float16 output, .h5 of Keras 2")
def mixed_float16_out(folder: Path) -> Trained:
    import tf_keras

    def save(model: Any, path: Path) -> None:
        tf_keras.mixed_precision.set_global_policy("mixed_float16")
        image = tf_keras.Input((64, 64, 3))
        x = tf_keras.layers.Conv2D(1, 1, activation="sigmoid")(nets.unet_body(tf_keras, image))
        mixed = tf_keras.Model(image, x)
        mixed.set_weights(model.get_weights())
        mixed.save(path)
        tf_keras.mixed_precision.set_global_policy("float32")
        model.save(folder / "float32.h5")

    steps = (Step("float32", file=folder / "float32.h5"),)
    return trained(folder, nets.unet(tf_keras), zero_to_one, above_half, name="model.h5", save=save, steps=steps)


@family("float64", "trained with floatx float64, .keras")
def float64(folder: Path) -> Trained:
    import keras

    def save(model: Any, path: Path) -> None:
        model.save(path)
        keras.backend.set_floatx("float32")
        single = nets.unet(keras, 2, "softmax")
        single.set_weights(model.get_weights())
        single.save(folder / "float32.keras")

    keras.backend.set_floatx("float64")
    steps = (Step("float32", file=folder / "float32.keras"),)
    return trained(folder, nets.unet(keras, 2, "softmax"), zero_to_one, argmax, save=save, steps=steps, train_steps=120)


@family("float64-signature", "SavedModel whose signature takes float64")
def float64_signature(folder: Path) -> Trained:
    import keras

    def save(model: Any, path: Path) -> None:
        _save_module(path, {"serving_default": _signature(model, np.float64)}, model)

    return trained(folder, nets.unet(keras), zero_to_one, above_half, name="saved", save=save)


@family("uint8-signature", "SavedModel whose signature takes uint8 pixels")
def uint8_signature(folder: Path) -> Trained:
    import keras

    def save(model: Any, path: Path) -> None:
        _save_module(path, {"serving_default": _signature(model, np.uint8, 1 / 255)}, model)

    return trained(folder, nets.unet(keras), zero_to_one, above_half, name="saved", save=save)


@family("several-signatures", "SavedModel with the signatures segment and features, none of them default")
def several_signatures(folder: Path) -> Trained:
    import keras

    def save(model: Any, path: Path) -> None:
        features = keras.Model(model.input, model.layers[-2].output)
        signatures = {"features": _signature(features), "segment": _signature(model)}
        _save_module(path, signatures, model, features)

    steps = (Step("--signature", ("--signature", "segment")),)
    return trained(folder, nets.unet(keras), zero_to_one, above_half, name="saved", save=save, steps=steps)


@family("training-mode", "SavedModel whose signature normalizes by the batch: exported in training mode")
def training_mode(folder: Path) -> Trained:
    import keras
    import tensorflow as tf

    def save(model: Any, path: Path) -> None:
        spec = tf.TensorSpec((None, 64, 64, 3), tf.float32, name="image")
        by_batch = tf.function(lambda image: {"mask": model(image, training=True)}).get_concrete_function(spec)
        _save_module(path, {"serving_default": by_batch}, model)
        _save_module(folder / "inference", {"serving_default": _signature(model)}, model)

    steps = (Step("training", file=folder / "inference"),)
    return trained(folder, nets.unet(keras), zero_to_one, above_half, name="saved", save=save, steps=steps)


@family("tf1-savedmodel", "TensorFlow 1 SavedModel with a placeholder is_training")
def tf1_savedmodel(folder: Path) -> Trained:
    import keras
    import tensorflow as tf

    v1 = tf.compat.v1
    image = keras.Input((64, 64, 3))
    x = image
    for dilation in (1, 2, 4, 8):
        x = keras.layers.Conv2D(16, 3, padding="same", dilation_rate=dilation, activation="relu")(x)
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(x))

    def save(model: Any, path: Path) -> None:
        weights = [layer.get_weights() for layer in model.layers if layer.weights]
        with tf.Graph().as_default(), v1.Session() as session:
            photo = v1.placeholder(tf.float32, (None, 64, 64, 3), "image")
            is_training = v1.placeholder(tf.bool, (), "is_training")
            y = photo
            for i, (kernel, bias) in enumerate(weights):
                kernel, bias = v1.Variable(kernel), v1.Variable(bias)
                y = tf.nn.conv2d(y, kernel, 1, "SAME", dilations=2**i if i < 4 else 1) + bias
                if i < 4:
                    y = tf.nn.relu(y)
                    y = tf.cond(is_training, lambda y=y: tf.nn.dropout(y, rate=0.5), lambda y=y: y)
            session.run(v1.global_variables_initializer())
            v1.saved_model.simple_save(session, str(path), {"image": photo, "is_training": is_training}, {"logits": y})

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return trained(folder, model, zero_to_one, argmax, name="saved", save=save, loss=loss)


CUSTOM_LAYER = '''"""A custom layer, in the file in which its author defines it."""

import keras


class Gate(keras.layers.Layer):
    """Scale the channels by learned weights."""

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.scale
'''


@family("custom-layer", "a custom layer defined in the author's own file, .keras")
def custom_layer(folder: Path) -> Trained:
    import keras

    source = folder / "layers.py"
    source.write_text(CUSTOM_LAYER)
    names: dict[str, Any] = {"__name__": "layers"}
    exec(CUSTOM_LAYER, names)
    image = keras.Input((64, 64, 3))
    model = keras.Model(image, nets.head(keras, names["Gate"]()(nets.unet_body(keras, image)), 1, "sigmoid"))

    def save(model: Any, path: Path) -> None:
        model.save(path)
        model.export(str(folder / "exported"))

    steps = (
        Step("--custom-objects", ("--custom-objects", str(source))),
        Step("SavedModel", file=folder / "exported"),
    )
    return trained(folder, model, zero_to_one, above_half, save=save, steps=steps)


@family("gelu-swish", "swish and GELU activations, .h5 of Keras 2")
def gelu_swish(folder: Path) -> Trained:
    import tf_keras

    image = tf_keras.Input((64, 64, 3))
    x = nets.conv(tf_keras, nets.unet_body(tf_keras, image, activation="swish"), 16, activation="gelu")
    model = tf_keras.Model(image, nets.head(tf_keras, x, 1, "sigmoid"))
    return trained(folder, model, zero_to_one, above_half, name="model.h5")


@family("lambda-keras", "a Lambda layer that normalizes, .keras of Keras 3")
def lambda_keras(folder: Path) -> Trained:
    import keras

    body = nets.unet(keras)
    image = keras.Input((64, 64, 3))
    model = keras.Model(image, body(keras.layers.Lambda(lambda pixels: pixels / 255.0)(image)))

    def save(model: Any, path: Path) -> None:
        model.save(path)
        model.export(str(folder / "exported"))

    options = ("--mean", "0", "--std", "1")
    steps = (Step("SavedModel", options, folder / "exported"),)
    return trained(folder, model, raw, above_half, options=options, save=save, steps=steps)


@family("lambda-other-python", "a Lambda layer whose bytecode is of another Python, .h5 of Keras 2")
def lambda_other_python(folder: Path) -> Trained:
    import h5py
    import tf_keras

    body = nets.unet(tf_keras)
    image = tf_keras.Input((64, 64, 3))
    model = tf_keras.Model(image, body(tf_keras.layers.Lambda(lambda pixels: pixels / 255.0)(image)))

    def save(model: Any, path: Path) -> None:
        model.save(path, save_format="h5")
        model.export(str(folder / "exported"))
        with h5py.File(path, "r+") as stored:
            config = json.loads(stored.attrs["model_config"])
            layer = next(each for each in config["config"]["layers"] if each["class_name"] == "Lambda")
            layer["config"]["function"] = [OTHER_PYTHON_CODE, None, None]
            stored.attrs["model_config"] = json.dumps(config)

    options = ("--mean", "0", "--std", "1")
    steps = (Step("SavedModel|export", options, folder / "exported"),)
    return trained(folder, model, raw, above_half, name="model.h5", options=options, save=save, steps=steps)


# marshal.dumps((lambda pixels: pixels / 255.0).__code__) of Python 3.13, in base 64
OTHER_PYTHON_CODE = (
    "4wEAAAAAAAAAAAAAAAIAAAADAAAA8wwAAACVAFUAUwEtCwAAJAApAk5nAAAAAADgb0CpACkB2gZwaXhlbHNzAQAAACDaCDxzdHJpbmc+2gg8bGFt"
    "YmRhPnIFAAAAAQAAAHMIAAAAgACIdpgFin7zAAAAAA=="
)


@family("tflite", "a .tflite by TensorFlow's converter, given to quantize")
def tflite(folder: Path) -> Trained:
    import keras
    import tensorflow as tf

    def save(model: Any, path: Path) -> None:
        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())

    options = ("--mean", "0", "--std", "1", "--classes", "background,red")
    model = nets.unet(keras, activation=None)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    steps = (Step("describe", options, write=True),)
    made = trained(
        folder, model, raw, above_half, name="model.tflite", loss=loss, save=save, options=options, steps=steps
    )
    return replace(made, answer=lambda photos: (np.asarray(model(raw(photos)))[..., 0] > 0).astype(np.uint8))


@family("weights-only", "an .h5 that holds only weights")
def weights_only(folder: Path) -> Trained:
    import tf_keras

    def save(model: Any, path: Path) -> None:
        model.save_weights(path)
        model.save(folder / "whole.h5")

    steps = (Step("model.save", file=folder / "whole.h5"),)
    return trained(folder, nets.unet(tf_keras), zero_to_one, above_half, name="model.h5", save=save, steps=steps)
