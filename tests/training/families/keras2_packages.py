"""Models of the packages that need Keras 2, without pretrained weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.families import shapes
from tests.training.families.family import Step, Trained, family
from tests.training.families.training import (
    Preprocess,
    above_half,
    argmax,
    caffe,
    data,
    fit,
    raw,
    trained,
    zero_to_one,
)


def _use_keras_2() -> None:
    """Make `tensorflow.keras` Keras 2, as the variable does if it is set before TensorFlow is imported."""
    import tensorflow as tf
    import tf_keras

    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    tf.__path__.insert(0, str(Path(tf_keras.__file__).parent / "api" / "_v2"))


def _segmentation_models() -> Any:
    """Import segmentation_models with the Keras 2 that it needs."""
    _use_keras_2()
    os.environ["SM_FRAMEWORK"] = "tf.keras"
    import segmentation_models

    return segmentation_models


def _preprocess_of(backbone: str) -> Preprocess:
    """Return what segmentation_models.get_preprocessing does for a backbone."""
    function = _segmentation_models().get_preprocessing(backbone)
    return lambda photos: np.asarray(function(raw(photos)), np.float32)


@family("sm-unet-resnet18", "segmentation_models Unet, resnet18, sigmoid, .h5", "segmentation-models")
def sm_unet_resnet18(folder: Path) -> Trained:
    model = _segmentation_models().Unet("resnet18", input_shape=(64, 64, 3), encoder_weights=None)
    options = ("--mean", "0", "--std", "1")
    return trained(
        folder,
        model,
        _preprocess_of("resnet18"),
        above_half,
        name="model.h5",
        options=options,
        train_steps=40,
        rate=2e-3,
    )


@family("sm-unet-efficientnetb0", "segmentation_models Unet, efficientnetb0: FixedDropout", "segmentation-models")
def sm_unet_efficientnetb0(folder: Path) -> Trained:
    model = _segmentation_models().Unet("efficientnetb0", input_shape=(64, 64, 3), encoder_weights=None)
    options = ("--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375")
    return trained(
        folder,
        model,
        _preprocess_of("efficientnetb0"),
        above_half,
        name="model.h5",
        options=options,
        train_steps=40,
        rate=2e-3,
    )


@family("sm-fpn-mobilenetv2", "segmentation_models FPN, mobilenetv2, softmax of three", "segmentation-models")
def sm_fpn_mobilenetv2(folder: Path) -> Trained:
    model = _segmentation_models().FPN(
        "mobilenetv2", classes=3, activation="softmax", input_shape=(64, 64, 3), encoder_weights=None
    )
    options = ("--mean", "127.5", "--std", "127.5", "--classes", "background,red,blue")
    return trained(
        folder,
        model,
        _preprocess_of("mobilenetv2"),
        argmax,
        name="model.h5",
        classes=3,
        options=options,
        train_steps=40,
        rate=2e-3,
        background=0,
    )


@family("sm-linknet-any-size", "segmentation_models Linknet, resnet18, any input size", "segmentation-models")
def sm_linknet_any_size(folder: Path) -> Trained:
    model = _segmentation_models().Linknet("resnet18", encoder_weights=None)
    options = ("--mean", "0", "--std", "1")
    steps = (Step("--size", (*options, "--size", "64")),)
    return trained(
        folder,
        model,
        _preprocess_of("resnet18"),
        above_half,
        name="model.h5",
        options=options,
        steps=steps,
        train_steps=40,
        rate=2e-3,
    )


@family("sm-pspnet-mobilenet", "segmentation_models PSPNet, mobilenet, 96 pixels", "segmentation-models")
def sm_pspnet_mobilenet(folder: Path) -> Trained:
    model = _segmentation_models().PSPNet(
        "mobilenet", classes=3, activation="softmax", input_shape=(96, 96, 3), encoder_weights=None
    )
    options = ("--mean", "127.5", "--std", "127.5")
    return trained(
        folder,
        model,
        _preprocess_of("mobilenet"),
        argmax,
        name="model.h5",
        size_wh=(96, 96),
        classes=3,
        options=options,
        train_steps=40,
        rate=2e-3,
    )


@family("keras-unet-custom", "keras-unet custom_unet with attention and dropout, .h5", "keras-unet")
def keras_unet_custom(folder: Path) -> Trained:
    _use_keras_2()
    from keras_unet.models import custom_unet

    model = custom_unet((64, 64, 3), filters=8, num_layers=3, dropout=0.1, use_attention=True)
    return trained(folder, model, zero_to_one, above_half, name="model.h5", train_steps=100)


@family("keras-unet-satellite", "keras-unet satellite_unet, softmax, SavedModel", "keras-unet")
def keras_unet_satellite(folder: Path) -> Trained:
    _use_keras_2()
    from keras_unet.models import satellite_unet

    model = satellite_unet((64, 64, 3), num_classes=3, output_activation="softmax", num_layers=2)
    return trained(
        folder,
        model,
        zero_to_one,
        argmax,
        name="saved",
        classes=3,
        train_steps=40,
        rate=2e-3,
        save=lambda model, path: model.save(path),
    )


def _collection() -> Any:
    """Import keras_unet_collection with the Keras 2 that it needs."""
    _use_keras_2()
    from keras_unet_collection import models

    return models


@family("kuc-attention-unet", "keras-unet-collection att_unet_2d, softmax of two, .h5", "keras-unet-collection")
def kuc_attention_unet(folder: Path) -> Trained:
    model = _collection().att_unet_2d(
        (64, 64, 3), [8, 16, 24], n_labels=2, output_activation="Softmax", batch_norm=True, activation="GELU"
    )
    return trained(folder, model, zero_to_one, argmax, name="model.h5", train_steps=100)


@family("kuc-unet3plus", "keras-unet-collection unet_3plus_2d, softmax, .keras", "keras-unet-collection")
def kuc_unet3plus(folder: Path) -> Trained:
    model = _collection().unet_3plus_2d((64, 64, 3), 2, [8, 16, 24], output_activation="Softmax", batch_norm=True)
    return trained(folder, model, zero_to_one, argmax, train_steps=100)


def _transunet() -> Any:
    """Build TransUNet of keras-unet-collection with one transformer."""
    sizes = {"embed_dim": 32, "num_mlp": 32, "num_heads": 2, "num_transformer": 1}
    return _collection().transunet_2d(
        (64, 64, 3), [8, 16, 24], 2, output_activation="Softmax", batch_norm=True, **sizes
    )


@family("kuc-transunet", "keras-unet-collection transunet_2d: custom transformer layers, .h5", "keras-unet-collection")
def kuc_transunet(folder: Path) -> Trained:
    def save(model: Any, path: Path) -> None:
        import tf_keras
        from keras_unet_collection import _model_transunet_2d

        model.save(path)
        model.export(str(folder / "exported"))
        # Its patches are single pixels, for which a Reshape does the same as tf.image.extract_patches.
        _model_transunet_2d.patch_extract = lambda _: lambda x: tf_keras.layers.Reshape((-1, x.shape[-1]))(x)
        replaced = _transunet()
        replaced.set_weights(model.get_weights())
        replaced.export(str(folder / "replaced"))

    steps = (
        Step("--custom-objects", ("--custom-objects", "keras_unet_collection.transformer_layers")),
        Step("SavedModel", file=folder / "exported"),
        Step("replace its layer", file=folder / "replaced"),
    )
    return trained(
        folder, _transunet(), zero_to_one, argmax, name="model.h5", train_steps=100, rate=2e-3, save=save, steps=steps
    )


@family("kuc-u2net", "keras-unet-collection u2net_2d: five outputs, the last is final", "keras-unet-collection")
def kuc_u2net(folder: Path) -> Trained:
    photos, ids = data()
    model = _collection().u2net_2d(
        (64, 64, 3), 1, [8, 16], output_activation="Sigmoid", deep_supervision=True, batch_norm=True
    )
    truth = ids[: shapes.TRAINED, ..., None].astype(np.float32)
    fit(model, zero_to_one(photos[: shapes.TRAINED]), [truth] * 5, ["binary_crossentropy"] * 5, 200, 2e-2)
    model.save(folder / "model.h5")
    return Trained(
        folder / "model.h5",
        lambda photos: above_half(model(zero_to_one(photos), training=False)[-1]),
        photos[shapes.TRAINED :],
        ids[shapes.TRAINED :],
        steps=(Step("--output", ("--output", "4")),),
    )


@family("keras-segmentation-unet", "keras-segmentation unet_mini: output (N, H*W, K), ImageNet mean subtracted, .h5")
def keras_segmentation_unet(folder: Path) -> Trained:
    import tf_keras

    # keras-segmentation 0.3.0 pins imageio 2.5.0, which does not install here: its unet_mini, line by line, narrower.
    layers = tf_keras.layers
    image = tf_keras.Input((64, 64, 3))

    def twice(x: Any, width: int) -> Any:
        x = layers.Conv2D(width, 3, activation="relu", padding="same")(x)
        x = layers.Dropout(0.2)(x)
        return layers.Conv2D(width, 3, activation="relu", padding="same")(x)

    first = twice(image, 16)
    second = twice(layers.MaxPooling2D()(first), 32)
    third = twice(layers.MaxPooling2D()(second), 48)
    up = twice(layers.concatenate([layers.UpSampling2D()(third), second]), 32)
    up = twice(layers.concatenate([layers.UpSampling2D()(up), first]), 16)
    scores = layers.Reshape((64 * 64, 3))(layers.Conv2D(3, 1, padding="same")(up))
    model = tf_keras.Model(image, layers.Activation("softmax")(scores))

    def rgb_less_mean(photos: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return caffe(photos)[..., ::-1].copy()

    def read(scores: Any) -> Any:
        return argmax(scores).reshape(-1, 64, 64)

    options = ("--mean", "123.68,116.779,103.939", "--std", "1", "--classes", "background,red,blue")
    return trained(
        folder,
        model,
        rgb_less_mean,
        read,
        name="model.h5",
        classes=3,
        options=options,
        background=0,
        targets=lambda ids: ids.reshape(len(ids), -1),
        rate=3e-3,
    )
