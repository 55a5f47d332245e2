"""U-Nets whose input is unusual: preprocessing inside the model, axes and sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.training.families import nets, shapes
from tests.training.families.family import Step, Trained, family
from tests.training.families.training import (
    Floats,
    above_half,
    argmax,
    data,
    fit,
    grey,
    minus_one_to_one,
    raw,
    trained,
    zero_to_one,
)


@family("rescaling-inside", "Rescaling layer inside, no options, as its user would")
def rescaling_inside(folder: Path) -> Trained:
    import keras

    body = nets.unet(keras)
    image = keras.Input((64, 64, 3))
    model = keras.Model(image, body(keras.layers.Rescaling(1 / 255)(image)))
    return trained(folder, model, raw, above_half, steps=(Step("--preprocess none", ("--preprocess", "none")),))


@family("normalization-inside", "Normalization layer inside, adapted to the photos, no options")
def normalization_inside(folder: Path) -> Trained:
    import tf_keras

    body = nets.unet(tf_keras)
    image = tf_keras.Input((64, 64, 3))
    layer = tf_keras.layers.Normalization()
    layer.adapt(raw(data()[0]))
    model = tf_keras.Model(image, body(layer(image)))
    steps = (Step("--preprocess none", ("--preprocess", "none")),)
    return trained(folder, model, raw, above_half, name="model.h5", steps=steps)


@family("preprocess-inside", "MobileNetV2's preprocess_input inside as operations, SavedModel, no options")
def preprocess_inside(folder: Path) -> Trained:
    import keras
    import tensorflow as tf

    def save(model: Any, path: Path) -> None:
        module = tf.Module()
        module.model = model
        signature = tf.function(lambda image: {"mask": model(image / 127.5 - 1.0, training=False)})
        spec = tf.TensorSpec((None, 64, 64, 3), tf.float32)
        tf.saved_model.save(module, str(path), {"serving_default": signature.get_concrete_function(spec)})

    steps = (Step("--preprocess none", ("--preprocess", "none")),)
    return trained(folder, nets.unet(keras), minus_one_to_one, above_half, name="saved", save=save, steps=steps)


@family("mean-only", "pixel - 127.5, given as --mean alone")
def mean_only(folder: Path) -> Trained:
    import keras

    def centred(photos: NDArray[np.uint8]) -> Floats:
        return raw(photos) - np.float32(127.5)

    body = nets.unet(keras)
    steps = (Step("--std", ("--mean", "127.5", "--std", "1")),)
    return trained(folder, body, centred, above_half, options=("--mean", "127.5"), steps=steps)


@family("grey-input", "one grey channel in")
def grey_input(folder: Path) -> Trained:
    import keras

    # The shapes hardly differ in luma, so what is bright is the object.
    photos, ids = data()
    model = nets.unet(keras, channels=1)
    bright = (grey(photos)[..., 0] > 0.35).astype(np.uint8)
    ids = bright
    fit(
        model,
        grey(photos[: shapes.TRAINED]),
        ids[: shapes.TRAINED, ..., None].astype(np.float32),
        "binary_crossentropy",
    )
    model.save(folder / "model.keras")
    return Trained(
        folder / "model.keras",
        lambda photos: above_half(model(grey(photos))),
        photos[shapes.TRAINED :],
        ids[shapes.TRAINED :],
    )


@family("nchw-input", "channels first in and out")
def nchw_input(folder: Path) -> Trained:
    import keras

    def save(model: Any, path: Path) -> None:
        image = keras.Input((3, 64, 64))
        scores = keras.layers.Permute((3, 1, 2))(model(keras.layers.Permute((2, 3, 1))(image)))
        keras.Model(image, scores).save(path)

    return trained(folder, nets.unet(keras, 3, "softmax"), zero_to_one, argmax, classes=3, save=save)


@family("any-size", "input of any size, a multiple of 4")
def any_size(folder: Path) -> Trained:
    import keras

    model = nets.unet(keras, size_hw=nets.ANY_SIZE)
    steps = (Step("--size", ("--size", "64")),)
    return trained(folder, model, zero_to_one, above_half, steps=steps)


@family("wide-input", "input of 96 x 64 pixels")
def wide_input(folder: Path) -> Trained:
    import keras

    return trained(folder, nets.unet(keras, size_hw=(64, 96)), zero_to_one, above_half, size_wh=(96, 64))


@family("any-size-wide", "input of any size, trained on 96 x 64 pixels")
def any_size_wide(folder: Path) -> Trained:
    import keras

    model = nets.unet(keras, size_hw=nets.ANY_SIZE)
    options = ("--size", "96x64")
    return trained(folder, model, zero_to_one, above_half, size_wh=(96, 64), options=options)


@family("letterbox", "trained on photos between grey bars")
def letterbox(folder: Path) -> Trained:
    import keras

    def boxed(photos: NDArray[np.uint8]) -> Floats:
        squares = np.full((len(photos), 64, 64, 3), 114, np.uint8)
        squares[:, 16:48] = photos
        return zero_to_one(squares)

    def targets(ids: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.pad(ids, ((0, 0), (16, 16), (0, 0), (0, 0)))

    def read(scores: Any) -> NDArray[np.uint8]:
        return above_half(scores)[:, 16:48]

    return trained(
        folder,
        nets.unet(keras),
        boxed,
        read,
        size_wh=(64, 32),
        loss="binary_crossentropy",
        targets=lambda ids: targets(ids[..., np.newaxis].astype(np.float32)),
        options=("--fit", "letterbox", "--fill", "727272"),
    )
