"""A float .tflite of the network, taken apart into the weights that training goes on from.

Conversion folds each normalization into the convolution before it. Here the two come apart again so that the network
computes the same. Any mean and variance will do for that; those of photos as training sees them are taken, since a
batch in training is normalized by its own (Ioffe and Szegedy 2015, algorithm 2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from model.tflite import flatbuffer
from model.training.cli import CommandError

CONVOLUTIONS, DEQUANTIZE = (3, 4), 6  # the schema's numbers of operators
FLOATS: dict[int, Any] = {0: np.float32, 1: np.float16}  # and of tensor types

Floats = NDArray[np.float32]


def take(model: keras.Model, file: Path, photos: Floats) -> None:
    """Put the weights of a .tflite into the network that it was made of.

    photos: float32 (N, size, size, 3), as training sees them
    raises: CommandError when the file is of another network, ModelRejected when it is no model
    """
    found, normalized = read(file), {}
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            continue
        kernel, bias = found.get(layer.name, (np.zeros(0), np.zeros(0)))
        if kernel.shape != tuple(layer.kernel.shape):
            raise CommandError(f"{file} is not a float model of this network with {model.output_shape[-1]} channels")
        if layer.use_bias:
            layer.set_weights([kernel, bias])
            continue
        normalization = normalized[layer] = model.get_layer(f"{layer.name}_bn")
        layer.set_weights([kernel])
        one = np.ones_like(bias)
        normalization.set_weights([one, bias, 0 * one, one - normalization.epsilon])
    _normalize(model, normalized, photos)


def read(file: Path) -> dict[str, tuple[Floats, Floats]]:
    """Read the kernel, as Keras shapes it, and the bias of every convolution with float weights.

    returns: by the name of each layer that the convolution's output stands for
    raises: ModelRejected when the file is no model
    """
    table, data = flatbuffer.read(file), file.read_bytes()
    graph = table["graphs"][0]
    tensors, operators = graph["tensors"], graph["operators"]
    stored = {
        each["outputs"][0]: each["inputs"][0] for each in operators if flatbuffer.builtin(table, each) == DEQUANTIZE
    }
    found: dict[str, tuple[Floats, Floats]] = {}
    for operator in operators:
        weights = [tensors[stored.get(index, index)] for index in operator["inputs"][1:3]]
        if flatbuffer.builtin(table, operator) not in CONVOLUTIONS or any(
            w.get("type", 0) not in FLOATS for w in weights
        ):
            continue
        kernel, bias = (_values(table, data, tensor) for tensor in weights)
        kernel = kernel.transpose(1, 2, 3, 0)  # from (out, h, w, in), or (1, h, w, channels) of a depthwise one
        found |= dict.fromkeys(_layers(tensors[operator["outputs"][0]]["name"]), (kernel, bias))
    return found


def _values(table: flatbuffer.Table, data: bytes, tensor: flatbuffer.Table) -> Floats:
    start, length = table["buffers"][tensor["buffer"]]["data"]
    array = np.frombuffer(data[start : start + length], FLOATS[tensor.get("type", 0)])
    return np.asarray(array.reshape(tensor["shape"]), np.float32)


def _layers(name: str) -> set[str]:
    """Find the names of layers in that of a tensor, model_1/stem_relu_1/Relu6;model_1/stem_1/convolution say."""
    parts = {part.split("/")[1] for part in name.split(";") if part.count("/") >= 2}
    return parts | {part.removesuffix("_1") for part in parts}  # Keras numbers what it traces again


def _normalize(model: keras.Model, normalized: dict[Any, Any], photos: Floats) -> None:
    """Scale each kernel as a fresh one is (He et al. 2015), and normalize its outputs by their mean and variance."""
    outputs = [layer.output for layer in normalized]
    means = [ops.mean(output, axis=(0, 1, 2)) for output in outputs]
    squares = [ops.mean(ops.square(output), axis=(0, 1, 2)) for output in outputs]
    measured = keras.Model(model.input, [*means, *squares])(photos, training=False)
    figures = [np.asarray(figure) for figure in measured]
    for (layer, normalization), mean, square in zip(normalized.items(), figures, figures[len(means) :], strict=False):
        kernel, bias = layer.get_weights()[0], normalization.get_weights()[1]
        axes = (0, 1, 3) if isinstance(layer, keras.layers.DepthwiseConv2D) else (0, 1, 2)
        size = np.sqrt(np.mean(np.square(kernel), axes))
        by = np.sqrt(2 / np.prod([kernel.shape[axis] for axis in axes])) / np.maximum(size, 1e-6)
        variance = np.maximum(square - np.square(mean), 0) * np.square(by)
        layer.set_weights([kernel * (by[:, None] if axes[2] == 3 else by)])
        gamma = np.sqrt(variance + normalization.epsilon) / by
        normalization.set_weights([gamma, bias + mean, mean * by, variance])
