"""Quantization-aware training: the network with batch normalization folded and int8 rounding simulated.

Batch normalization is folded into the convolutions first, as the converter does it, so that the trained weights are
those that are quantized. Weights are rounded per channel and activations per tensor, to the levels that the converter
chooses (Jacob et al. 2018), by operations that pass gradients straight through.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops, quantizers

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
RANGE_MOMENTUM = 0.99  # of the moving average of an activation's range, per batch


class FakeQuantConv2D(layers.Conv2D):
    """A convolution whose kernel is rounded to int8, with a scale for each output channel."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve with the rounded kernel."""
        return super().convolution_op(inputs, _fake_quantize_by_channel(kernel))


class FakeQuantDepthwiseConv2D(layers.DepthwiseConv2D):
    """A depthwise convolution whose kernel is rounded to int8, with a scale for each channel."""

    def call(self, inputs: Any) -> Any:
        """Convolve with the rounded kernel."""
        kernel = _fake_quantize_by_channel(self.kernel[..., 0])[..., None]
        return ops.depthwise_conv(inputs, kernel, self.strides, self.padding) + self.bias


class FakeQuantActivation(layers.Layer):
    """Activations rounded to the 256 levels of their range, of which training keeps a moving average."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Create the range, low to high; empty before the first batch."""
        self.low = self.add_weight(name="low", shape=(), initializer="zeros", trainable=False)
        self.high = self.add_weight(name="high", shape=(), initializer="zeros", trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Round the inputs, after updating the range in training."""
        if training:
            momentum = ops.where(self.high > self.low, RANGE_MOMENTUM, 0.0)
            self.low.assign(momentum * self.low + (1 - momentum) * ops.minimum(ops.min(inputs), 0.0))
            self.high.assign(momentum * self.high + (1 - momentum) * ops.maximum(ops.max(inputs), 0.0))
        high = ops.maximum(self.high, self.low + 1e-6)
        return quantizers.fake_quant_with_min_max_vars(inputs, self.low.value, high, num_bits=8)


def folded(model: keras.Model) -> keras.Model:
    """Return a copy of a model with each batch normalization NAME_bn folded into the convolution NAME before it."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, layers.BatchNormalization):
            return layers.Identity(name=layer.name)
        config = layer.get_config()
        if isinstance(layer, CONVOLUTIONS):
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    copy = keras.models.clone_model(model, clone_function=clone, call_function=_skip_identity)
    names = {layer.name for layer in model.layers}
    for layer in copy.layers:
        if isinstance(layer, CONVOLUTIONS):
            norm = model.get_layer(f"{layer.name}_bn") if f"{layer.name}_bn" in names else None
            layer.set_weights(_folded_weights(model.get_layer(layer.name), norm))
    return copy


def fake_quantized(model: keras.Model) -> keras.Model:
    """Return a copy of a folded model with int8 rounding simulated.

    Activations are rounded where the runtime stores them as int8. A ReLU is fused with the layer before it, so only
    its output is rounded.
    """
    replacements = {layers.Conv2D: FakeQuantConv2D, layers.DepthwiseConv2D: FakeQuantDepthwiseConv2D}
    stored = (*CONVOLUTIONS, layers.Add, layers.ReLU, layers.GlobalAveragePooling2D)
    names = {layer.name for layer in model.layers}
    first = next(layer.name for layer in model.layers if isinstance(layer, CONVOLUTIONS))

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        return replacements.get(layer.__class__, layer.__class__).from_config(layer.get_config())

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        has_relu = f"{layer.name.removesuffix('_add')}_relu" in names
        if layer.name == first:
            args = (FakeQuantActivation(name="image_rounded")(args[0]), *args[1:])
        outputs = layer(*args, **kwargs)
        if isinstance(layer, stored) and not has_relu:
            return FakeQuantActivation(name=f"{layer.name}_rounded")(outputs)
        return outputs

    copy = keras.models.clone_model(model, clone_function=clone, call_function=call)
    copy_weights(copy, model)
    return copy


def copy_weights(target: keras.Model, source: keras.Model) -> None:
    """Copy the weights of every convolution from one model to another, by layer name."""
    for layer in source.layers:
        if isinstance(layer, CONVOLUTIONS):
            target.get_layer(layer.name).set_weights(layer.get_weights())


def _folded_weights(layer: keras.layers.Layer, norm: keras.layers.Layer | None) -> list[Any]:
    """Return the kernel and the bias of a convolution with its batch normalization folded in."""
    kernel, *bias = layer.get_weights()
    shift = bias[0] if bias else np.zeros(kernel.shape[2 if isinstance(layer, layers.DepthwiseConv2D) else 3], "f4")
    if norm is None:
        return [kernel, shift]
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    by_channel = scale[:, None] if isinstance(layer, layers.DepthwiseConv2D) else scale
    return [kernel * by_channel, beta + (shift - mean) * scale]


def _skip_identity(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
    return args[0] if isinstance(layer, layers.Identity) else layer(*args, **kwargs)


def _fake_quantize_by_channel(kernel: Any) -> Any:
    """Round a kernel to int8, with a scale for each index of its last axis."""
    kernel = ops.convert_to_tensor(kernel)
    axes = tuple(range(len(kernel.shape) - 1))
    largest = ops.stop_gradient(ops.maximum(ops.max(ops.abs(kernel), axis=axes), 1e-6))
    return quantizers.fake_quant_with_min_max_vars(kernel, -largest, largest, num_bits=8, narrow_range=True, axis=-1)
