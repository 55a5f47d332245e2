"""Train with the roundings of int8 in place, so that the weights learn to live with them.

Batch normalization is folded into the convolutions first, as the converter folds it: what is trained is what is
quantized. Weights are rounded by channel and activations by tensor, to the levels that the converter will choose
(Jacob et al. 2018), with TensorFlow's own operation; gradients pass as if nothing was rounded.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
MEMORY = 0.99  # share of an activation's range that stays from one batch to the next


class RoundedConv2D(layers.Conv2D):
    """A convolution whose kernel is rounded to int8, each output channel by its own largest weight."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, _round_by_last_axis(kernel))


class RoundedDepthwiseConv2D(layers.DepthwiseConv2D):
    """A depthwise convolution whose kernel is rounded to int8, each channel by its own largest weight."""

    def call(self, inputs: Any) -> Any:
        kernel = _round_by_last_axis(self.kernel[..., 0])[..., None]
        return ops.depthwise_conv(inputs, kernel, self.strides, self.padding) + self.bias


class Rounded(layers.Layer):
    """Activations rounded to the 256 levels of their range, which is followed while training."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.low = self.add_weight(name="low", shape=(), initializer="zeros", trainable=False)
        self.high = self.add_weight(name="high", shape=(), initializer="zeros", trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            memory = ops.where(self.high > self.low, MEMORY, 0.0)
            self.low.assign(memory * self.low + (1 - memory) * ops.minimum(ops.min(inputs), 0.0))
            self.high.assign(memory * self.high + (1 - memory) * ops.maximum(ops.max(inputs), 0.0))
        high = ops.maximum(self.high, self.low + 1e-6)
        return tf.quantization.fake_quant_with_min_max_vars(inputs, self.low.value, high, num_bits=8)


def folded(model: keras.Model) -> keras.Model:
    """Copy a model with each normalization NAME_bn folded into the convolution NAME before it."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, layers.BatchNormalization):
            return layers.Identity(name=layer.name)
        config = layer.get_config()
        if isinstance(layer, CONVOLUTIONS):
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    copy = keras.models.clone_model(model, clone_function=clone, call_function=_past_identities)
    names = {layer.name for layer in model.layers}
    for layer in copy.layers:
        if isinstance(layer, CONVOLUTIONS):
            norm = model.get_layer(f"{layer.name}_bn") if f"{layer.name}_bn" in names else None
            layer.set_weights(_fold(model.get_layer(layer.name), norm))
    return copy


def rounded(model: keras.Model) -> keras.Model:
    """Copy a folded model with the roundings of int8 in place.

    An activation is rounded where int8 keeps it: behind the ReLU where one follows, as the runtime fuses the two.
    """
    kinds = {layers.Conv2D: RoundedConv2D, layers.DepthwiseConv2D: RoundedDepthwiseConv2D}
    kept = (*CONVOLUTIONS, layers.Add, layers.ReLU, layers.GlobalAveragePooling2D)
    names = {layer.name for layer in model.layers}
    door = next(layer.name for layer in model.layers if isinstance(layer, CONVOLUTIONS))

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        return kinds.get(layer.__class__, layer.__class__).from_config(layer.get_config())

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        fused = f"{layer.name.removesuffix('_add')}_relu" in names
        if layer.name == door:
            args = (Rounded(name="image_rounded")(args[0]), *args[1:])
        outputs = layer(*args, **kwargs)
        return Rounded(name=f"{layer.name}_rounded")(outputs) if isinstance(layer, kept) and not fused else outputs

    copy = keras.models.clone_model(model, clone_function=clone, call_function=call)
    take_weights(copy, model)
    return copy


def take_weights(target: keras.Model, source: keras.Model) -> None:
    """Copy the weights of every convolution, by name."""
    for layer in source.layers:
        if isinstance(layer, CONVOLUTIONS):
            target.get_layer(layer.name).set_weights(layer.get_weights())


def _fold(layer: keras.layers.Layer, norm: keras.layers.Layer | None) -> list[Any]:
    kernel, *bias = layer.get_weights()
    shift = bias[0] if bias else np.zeros(kernel.shape[2 if isinstance(layer, layers.DepthwiseConv2D) else 3], "f4")
    if norm is None:
        return [kernel, shift]
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    by_channel = scale[:, None] if isinstance(layer, layers.DepthwiseConv2D) else scale
    return [kernel * by_channel, beta + (shift - mean) * scale]


def _past_identities(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
    return args[0] if isinstance(layer, layers.Identity) else layer(*args, **kwargs)


def _round_by_last_axis(kernel: Any) -> Any:
    kernel = ops.convert_to_tensor(kernel)
    largest = tf.stop_gradient(ops.maximum(ops.max(ops.abs(kernel), axis=tuple(range(len(kernel.shape) - 1))), 1e-6))
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -largest, largest, num_bits=8, narrow_range=True
    )
