"""A U-Net of the kind that the Keras example on Oxford-IIIT Pet builds: Xception's blocks down, transposed ones up."""

from __future__ import annotations

from typing import Any


def build(keras: Any, side_px: int, classes: int, widths: tuple[int, ...] = (16, 24)) -> Any:
    """Build it under Keras 2 or 3.

    returns: a model from pixels of 0-255, (N, side, side, 3), to a softmax over the classes
    """
    layers = keras.layers

    def norm(x: Any) -> Any:
        return layers.BatchNormalization(momentum=0.7)(x)

    image = keras.Input((side_px, side_px, 3))
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Activation("relu")(norm(layers.Conv2D(8, 3, strides=2, padding="same")(x)))
    past = x
    for width in widths:
        for _ in range(2):
            x = norm(layers.SeparableConv2D(width, 3, padding="same")(layers.Activation("relu")(x)))
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        past = x = layers.add([x, layers.Conv2D(width, 1, strides=2, padding="same")(past)])
    for width in (*widths[::-1], 8):
        for _ in range(2):
            x = norm(layers.Conv2DTranspose(width, 3, padding="same")(layers.Activation("relu")(x)))
        x = layers.UpSampling2D(2)(x)
        past = x = layers.add([x, layers.Conv2D(width, 1, padding="same")(layers.UpSampling2D(2)(past))])
    return keras.Model(image, layers.Conv2D(classes, 3, activation="softmax", padding="same")(x))
