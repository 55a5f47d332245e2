"""Architectures in their usual form: how the examples and tutorials of Keras and TensorFlow build and feed them."""

from __future__ import annotations

from pathlib import Path

from tests.support import xception_unet
from tests.training.families import nets
from tests.training.families.family import Trained, family
from tests.training.families.training import (
    above_half,
    argmax,
    bgr,
    caffe,
    imagenet,
    minus_one_to_one,
    positive,
    raw,
    trained,
    zero_to_one,
)

RAW = ("--mean", "0", "--std", "1")


@family("keras-pets", "Keras pets example: U-Net Xception, classes pet, background, border, pixels 0-255")
def keras_pets(folder: Path) -> Trained:
    import keras

    model = xception_unet.build(keras, 64, 3)
    options = (*RAW, "--classes", "pet,background,border")
    without_rescaling = keras.Model(model.layers[1].output, model.output)
    return trained(
        folder, without_rescaling, raw, argmax, classes=3, order=(1, 0, 2), options=options, background=1, rate=1e-2
    )


@family("pet-first", "U-Net, two channels, classes pet, background in this order")
def pet_first(folder: Path) -> Trained:
    import keras

    model = nets.unet(keras, 2, "softmax")
    options = ("--classes", "pet,background")
    return trained(folder, model, zero_to_one, argmax, order=(1, 0), options=options, object_id=0, background=1)


@family("unet-sigmoid", "U-Net, one channel of sigmoid, pixel / 255, .h5 of Keras 2")
def unet_sigmoid(folder: Path) -> Trained:
    import tf_keras

    return trained(folder, nets.unet(tf_keras), zero_to_one, above_half, name="model.h5")


@family("unet-logit", "U-Net, one channel of logits, pixel / 255, .h5 of Keras 3")
def unet_logit(folder: Path) -> Trained:
    import keras

    return trained(folder, nets.unet(keras, activation=None), zero_to_one, positive, name="model.h5")


@family("tf-tutorial", "TensorFlow's segmentation tutorial: MobileNetV2 and pix2pix, 3 logits, pixel / 255")
def tf_tutorial(folder: Path) -> Trained:
    import keras

    model = nets.mobilenet_unet(keras, 3, None)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return trained(
        folder, model, zero_to_one, argmax, size_wh=(96, 96), classes=3, loss=loss, rate=1e-2, train_steps=100
    )


@family("mobilenet-unet", "MobileNetV2 U-Net, one channel, pixel / 127.5 - 1, .h5 of Keras 2")
def mobilenet_unet(folder: Path) -> Trained:
    import tf_keras

    model = nets.mobilenet_unet(tf_keras, 1, "sigmoid")
    options = ("--mean", "127.5", "--std", "127.5")
    return trained(
        folder,
        model,
        minus_one_to_one,
        above_half,
        name="model.h5",
        size_wh=(96, 96),
        options=options,
        rate=1e-2,
        train_steps=100,
    )


@family("deeplabv3plus", "DeepLabV3+ of the Keras examples, logits, pixel / 127.5 - 1")
def deeplabv3plus(folder: Path) -> Trained:
    import keras

    options = ("--mean", "127.5", "--std", "127.5", "--classes", "background,red,blue")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return trained(
        folder, nets.deeplab(keras, 3), minus_one_to_one, argmax, classes=3, options=options, background=0, loss=loss
    )


@family("fcn8", "FCN-8s, caffe preprocessing as for VGG16")
def fcn8(folder: Path) -> Trained:
    import keras

    options = ("--order", "BGR", "--mean", "103.939,116.779,123.68", "--std", "1")
    return trained(folder, nets.fcn8(keras, 2), caffe, argmax, options=options)


@family("segnet", "SegNet, softmax, photos of cv2.imread, .h5 of Keras 2")
def segnet(folder: Path) -> Trained:
    import tf_keras

    options = ("--order", "BGR", *RAW, "--classes", "background,red,blue")
    model = nets.segnet(tf_keras, 3)
    return trained(folder, model, bgr, argmax, name="model.h5", classes=3, options=options, background=0)


@family("pspnet", "PSPNet, ImageNet normalization in units of 0-1")
def pspnet(folder: Path) -> Trained:
    import keras

    options = ("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")
    return trained(folder, nets.pspnet(keras, 3), imagenet, argmax, classes=3, options=options)


@family("linknet", "LinkNet, one channel of sigmoid, pixel / 255")
def linknet(folder: Path) -> Trained:
    import keras

    return trained(folder, nets.linknet(keras), zero_to_one, above_half)


@family("hrnet", "HRNet, output of half the input's side")
def hrnet(folder: Path) -> Trained:
    import keras

    model = nets.hrnet(keras, 3)
    return trained(folder, model, zero_to_one, argmax, classes=3, targets=lambda ids: ids[:, ::2, ::2])


@family("bisenet", "BiSeNet, softmax, output enlarged eightfold in the model")
def bisenet(folder: Path) -> Trained:
    import keras

    return trained(folder, nets.bisenet(keras, 3), zero_to_one, argmax, classes=3)
