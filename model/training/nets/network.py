"""The bundled model's network: EfficientNet-Lite0 as encoder, and a light decoder with skip connections.

It consists of operations that the TFLite runtimes execute fast in float16 and in int8: convolutions, depthwise
convolutions, ReLU6, additions and bilinear resizing. It has no transposed convolution and no squeeze-and-excitation
(Tan and Le 2019, EfficientNet; Google's "lite" variant of 2020).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

# blocks, kernel, stride, expansion, channels of EfficientNet-B0 (Tan and Le 2019, table 1)
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
DECODER_CHANNELS = [128, 80, 48, 32]  # at 1/16, 1/8, 1/4 and 1/2 of the input
BATCH_NORM = {"epsilon": 1e-3, "momentum": 0.99}


def build(size_px: int, classes: int = 1) -> keras.Model:
    """Build the network with new random weights.

    Args:
        size_px: Side of the square input, a multiple of 32.
        classes: Channels of the output; 1 for one object class against the background.

    Returns:
        A model from float32 (N, size, size, 3), RGB as (x - 127) / 128, to float32 (N, size, size, classes): a
        sigmoid for one class, a softmax for more.

    Raises:
        ValueError: If size_px is not a multiple of 32.
    """
    if size_px % 32:
        raise ValueError(f"the input size must be a multiple of 32, not {size_px}")
    image = keras.Input((size_px, size_px, 3), name="image")
    features = encoder(image)
    logits = decoder(features, classes)
    logits = layers.UpSampling2D(2, interpolation="bilinear", name="logits")(logits)
    scores = layers.Activation("sigmoid" if classes == 1 else "softmax", dtype="float32", name="scores")(logits)
    return keras.Model(image, scores, name="silhouette")


def encoder(image: Any) -> list[Any]:
    """Apply EfficientNet-Lite0 without its head.

    Args:
        image: (N, size, size, 3).

    Returns:
        The feature maps at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input's size.
    """
    x = conv_bn(image, 32, 3, strides=2, name="stem")
    features, block = [], 0
    for repeats, kernel, stride, expansion, channels in STAGES:
        if stride == 2:
            features.append(x)
        for repeat in range(repeats):
            x = mb_conv(x, kernel, stride if repeat == 0 else 1, expansion, channels, name=f"block{block}")
            block += 1
    return [*features, x]


def is_in_encoder(layer_name: str) -> bool:
    """Return whether a layer, by its name, belongs to the encoder."""
    return layer_name.startswith(("stem", "block"))


def decoder(features: list[Any], classes: int) -> Any:
    """Decode from coarse to fine, adding the encoder's features of each scale.

    Args:
        features: The feature maps of `encoder`.
        classes: Channels of the output.

    Returns:
        Logits at 1/2 of the input's size.
    """
    *skips, x = features
    x = conv_bn(x, DECODER_CHANNELS[0], 1, name="neck")
    context = layers.GlobalAveragePooling2D(keepdims=True, name="context_pool")(x)
    context = layers.Conv2D(DECODER_CHANNELS[0], 1, name="context")(context)
    x = layers.Add(name="with_context")([x, context])
    for step, (channels, skip) in enumerate(zip(DECODER_CHANNELS, reversed(skips), strict=True)):
        name = f"up{step}"
        x = conv_bn(x, channels, 1, activation=False, name=f"{name}_narrow")
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_resize")(x)
        skip = conv_bn(skip, channels, 1, activation=False, name=f"{name}_skip")
        x = layers.ReLU(6.0, name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, skip]))
        x = separable(x, channels, 5 if step < 2 else 3, name=f"{name}_a")
        x = layers.Add(name=f"{name}_residual")([x, separable(x, channels, 3, name=f"{name}_b")])
    return layers.Conv2D(classes, 3, padding="same", name="classify")(x)


def mb_conv(x: Any, kernel: int, stride: int, expansion: int, channels: int, name: str) -> Any:
    """Apply an inverted residual block: expand, convolve depthwise, project (Sandler et al. 2018, MobileNetV2).

    Args:
        x: (N, h, w, C).
        kernel: Side of the depthwise kernel.
        stride: Stride of the depthwise convolution.
        expansion: Factor between C and the channels of the depthwise convolution.
        channels: Channels of the output.
        name: Prefix of the layers' names.

    Returns:
        (N, h / stride, w / stride, channels); the input is added if the shapes are equal.
    """
    inputs, width = x, x.shape[-1] * expansion
    if expansion != 1:
        x = conv_bn(x, width, 1, name=f"{name}_expand")
    x = depthwise_bn(x, kernel, stride, name=f"{name}_depthwise")
    x = conv_bn(x, channels, 1, activation=False, name=f"{name}_project")
    if stride == 1 and inputs.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x


def separable(x: Any, channels: int, kernel: int, name: str) -> Any:
    """Apply a depthwise separable convolution: depthwise, then pointwise (Chollet 2017, Xception)."""
    return conv_bn(depthwise_bn(x, kernel, 1, name=f"{name}_depthwise"), channels, 1, name=f"{name}_point")


def conv_bn(x: Any, channels: int, kernel: int, name: str, strides: int = 1, activation: bool = True) -> Any:
    """Apply a convolution, batch normalization and, if `activation` is set, ReLU6."""
    x = layers.Conv2D(channels, kernel, strides, "same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if activation else x


def depthwise_bn(x: Any, kernel: int, strides: int, name: str) -> Any:
    """Apply a depthwise convolution, batch normalization and ReLU6."""
    x = layers.DepthwiseConv2D(kernel, strides, "same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def load_imagenet(model: keras.Model, tensors: dict[str, NDArray[np.float32]]) -> None:
    """Load the encoder's ImageNet weights into the network.

    Args:
        model: The network.
        tensors: As `imagenet_weights.read` returns them.

    Raises:
        KeyError: If a tensor is missing.
        ValueError: If a tensor has another shape.
    """
    for name, conv, norm in encoder_names():
        axes = (2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0)
        model.get_layer(name).set_weights([tensors[f"{conv}.weight"].transpose(axes)])
        parts = ("weight", "bias", "running_mean", "running_var")
        model.get_layer(f"{name}_bn").set_weights([tensors[f"{norm}.{part}"] for part in parts])


def encoder_names() -> list[tuple[str, str, str]]:
    """Return the name of each convolution of the encoder, and PyTorch's names of it and of its normalization."""
    names = [("stem", "_conv_stem", "_bn0")]
    for block in range(sum(stage[0] for stage in STAGES)):
        prefix = f"_blocks.{block}"
        if block > 0:  # the first block does not expand
            names.append((f"block{block}_expand", f"{prefix}._expand_conv", f"{prefix}._bn0"))
        names.append((f"block{block}_depthwise", f"{prefix}._depthwise_conv", f"{prefix}._bn1"))
        names.append((f"block{block}_project", f"{prefix}._project_conv", f"{prefix}._bn2"))
    return names
