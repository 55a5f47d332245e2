"""U-Nets whose output is unusual: what its numbers mean, axes, size and number of outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.training.families import nets, shapes
from tests.training.families.family import UNCOVERED, Step, Trained, family
from tests.training.families.training import (
    Floats,
    above_half,
    argmax,
    data,
    fit,
    trained,
    zero_to_one,
)


def one_hot(ids: NDArray[np.uint8], classes: tuple[int, ...]) -> Floats:
    """Return a channel of 0 and 1 for each of some classes."""
    channels: Floats = np.stack([ids == class_id for class_id in classes], -1).astype(np.float32)
    return channels


@family("argmax-savedmodel", "arg-max inside the model, SavedModel with int64 class ids")
def argmax_savedmodel(folder: Path) -> Trained:
    import keras
    import tensorflow as tf

    def save(model: Any, path: Path) -> None:
        spec = tf.TensorSpec((None, 64, 64, 3), tf.float32)
        module = tf.Module()
        module.model = model
        signature = tf.function(lambda image: {"ids": tf.argmax(model(image, training=False), -1)})
        tf.saved_model.save(module, str(path), {"serving_default": signature.get_concrete_function(spec)})

    model = nets.unet(keras, 3, "softmax")
    options = ("--classes", "background,red,blue")
    return trained(
        folder, model, zero_to_one, argmax, name="saved", classes=3, save=save, options=options, background=0
    )


@family("argmax-keras", "arg-max inside the model, keras.ops.argmax in a .keras file")
def argmax_keras(folder: Path) -> Trained:
    import keras

    def save(model: Any, path: Path) -> None:
        keras.Model(model.input, keras.ops.argmax(model.output, axis=-1)).save(path)
        model.save(folder / "scores.keras")

    model = nets.unet(keras, 3, "softmax")
    options = ("--classes", "background,red,blue")
    steps = (Step("save the model without it", file=folder / "scores.keras"),)
    return trained(folder, model, zero_to_one, argmax, classes=3, save=save, options=options, steps=steps, background=0)


def any_channel(scores: Any) -> NDArray[np.uint8]:
    """Read independent channels: the best one that is above half, else background."""
    scores = np.asarray(scores)
    return np.where(scores.max(-1) > 0.5, scores.argmax(-1) + 1, 0).astype(np.uint8)


@family("multilabel", "two sigmoid channels without a background channel")
def multilabel(folder: Path) -> Trained:
    import keras

    def targets(ids: NDArray[np.uint8]) -> Floats:
        return one_hot(ids, (1, 2))

    options = ("--classes", "red,blue")
    steps = (Step("background,red,blue", ("--classes", "background,red,blue", "--activation", "sigmoid")),)
    return trained(
        folder,
        nets.unet(keras, 2, "sigmoid"),
        zero_to_one,
        any_channel,
        classes=3,
        loss="binary_crossentropy",
        targets=targets,
        options=options,
        steps=steps,
    )


@family("multilabel-three", "three sigmoid channels, one of them background")
def multilabel_three(folder: Path) -> Trained:
    import keras

    def targets(ids: NDArray[np.uint8]) -> Floats:
        return one_hot(ids, (0, 1, 2))

    options = ("--classes", "background,red,blue")
    return trained(
        folder,
        nets.unet(keras, 3, "sigmoid"),
        zero_to_one,
        argmax,
        classes=3,
        loss="binary_crossentropy",
        targets=targets,
        options=options,
        background=0,
    )


@family("mse-head", "linear head trained with mean squared error on 0 and 1")
def mse_head(folder: Path) -> Trained:
    import keras

    steps = (Step("--activation none", ("--activation", "none")),)
    return trained(folder, nets.unet(keras, activation=None), zero_to_one, above_half, loss="mse", steps=steps)


@family("valid-padding", "U-Net with valid padding: 188 pixels in, the 100 in the middle out")
def valid_padding(folder: Path) -> Trained:
    import keras

    def middle(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return ids[:, 44:144, 44:144]

    def read(scores: Any) -> NDArray[np.uint8]:
        return np.pad(above_half(scores), ((0, 0), (44, 44), (44, 44)), constant_values=UNCOVERED)

    steps = (Step("--border", ("--border", "44")),)
    return trained(
        folder,
        nets.unet_valid(keras),
        zero_to_one,
        read,
        size_wh=(188, 188),
        loss="binary_crossentropy",
        rate=1e-2,
        targets=lambda ids: middle(ids)[..., np.newaxis].astype(np.float32),
        train_steps=60,
        steps=steps,
    )


@family("nhw-output", "output (N, H, W) of probabilities")
def nhw_output(folder: Path) -> Trained:
    import keras

    def save(model: Any, path: Path) -> None:
        keras.Model(model.input, keras.layers.Reshape((64, 64))(model.output)).save(path)

    return trained(folder, nets.unet(keras), zero_to_one, above_half, save=save)


@family("flat-output", "output (N, H*W, K), softmax over the classes")
def flat_output(folder: Path) -> Trained:
    import keras

    def save(model: Any, path: Path) -> None:
        keras.Model(model.input, keras.layers.Reshape((64 * 64, 3))(model.output)).save(path)

    return trained(folder, nets.unet(keras, 3, "softmax"), zero_to_one, argmax, classes=3, save=save)


@family("edge-output", "two outputs of one size: an edge map first, then three classes")
def edge_output(folder: Path) -> Trained:
    import keras

    def save(model: Any, path: Path) -> None:
        edges = nets.head(keras, model.layers[-2].output, 1, "sigmoid")
        keras.Model(model.input, [edges, model.output]).save(path)

    steps = (Step("--output", ("--output", "1")),)
    model = nets.unet(keras, 3, "softmax")
    return trained(folder, model, zero_to_one, argmax, classes=3, save=save, steps=steps)


@family("deep-supervision", "U-Net++ with deep supervision: two outputs of one size, the last is the answer")
def deep_supervision(folder: Path) -> Trained:
    import keras

    photos, ids = data()
    model = nets.unet_plus_plus(keras)
    truth = ids[: shapes.TRAINED, ..., None].astype(np.float32)
    fit(model, zero_to_one(photos[: shapes.TRAINED]), [truth, truth], ["binary_crossentropy"] * 2)
    model.save(folder / "model.keras")
    return Trained(
        folder / "model.keras",
        lambda photos: above_half(model(zero_to_one(photos), training=False)[-1]),
        photos[shapes.TRAINED :],
        ids[shapes.TRAINED :],
        steps=(Step("--output", ("--output", "1")),),
    )


@family("bicubic", "bicubic upsampling inside, which TFLite does not have")
def bicubic(folder: Path) -> Trained:
    import keras

    def build(interpolation: str) -> Any:
        image = keras.Input((64, 64, 3))
        x = nets.unet_body(keras, nets.conv(keras, image, 12, strides=2))
        x = nets.head(keras, x, 3, None)
        x = keras.layers.UpSampling2D(2, interpolation=interpolation)(x)
        return keras.Model(image, keras.layers.Softmax()(x))

    def save(model: Any, path: Path) -> None:
        model.save(path)
        similar = build("bilinear")
        similar.set_weights(model.get_weights())
        similar.save(folder / "bilinear.keras")

    steps = (Step("bilinear", file=folder / "bilinear.keras"),)
    return trained(folder, build("bicubic"), zero_to_one, argmax, classes=3, save=save, steps=steps)
