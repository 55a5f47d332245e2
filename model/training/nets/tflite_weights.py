"""The network's weights from a float .tflite made of it, with batch normalization restored.

Conversion folds each batch normalization into the convolution before it. Here the two are separated again so that the
network computes the same. Any mean and variance allow that; those of photos as training sees them are used, since
training normalizes a batch by its own (Ioffe and Szegedy 2015, algorithm 2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from model.tflite import verify
from model.tflite.flatbuffer import Table
from model.tflite.schema import BuiltinOp
from model.training.cli import CommandError

CONVOLUTIONS = (BuiltinOp.CONV_2D, BuiltinOp.DEPTHWISE_CONV_2D)
FLOAT_TYPES: dict[int, Any] = {0: np.float32, 1: np.float16}  # tensor types of the TFLite schema

Floats = NDArray[np.float32]


def load(model: keras.Model, file: Path, photos: Floats) -> None:
    """Load the weights of a .tflite into the network from which it was converted.

    Args:
        model: The network, with batch normalization.
        file: A .tflite with float32 or float16 weights.
        photos: float32 (N, size, size, 3), network inputs as in training.

    Raises:
        CommandError: If the file holds another network, or integer weights.
        ModelRejected: If the file is not a valid .tflite.
    """
    weights, norms = read_convolutions(file), {}
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            continue
        kernel, bias = weights.get(layer.name, (np.zeros(0), np.zeros(0)))
        if kernel.shape != tuple(layer.kernel.shape):
            raise CommandError(f"{file} is not a float model of this network with {model.output_shape[-1]} channels")
        if layer.use_bias:
            layer.set_weights([kernel, bias])
            continue
        norm = norms[layer] = model.get_layer(f"{layer.name}_bn")
        layer.set_weights([kernel])
        one = np.ones_like(bias)
        norm.set_weights([one, bias, 0 * one, one - norm.epsilon])
    _set_statistics(model, norms, photos)


def read_convolutions(file: Path) -> dict[str, tuple[Floats, Floats]]:
    """Read the kernel and the bias of every convolution with float weights.

    Args:
        file: A .tflite.

    Returns:
        Kernel, in Keras's axes, and bias, by the name of each layer that the convolution's output stands for.

    Raises:
        ModelRejected: If the file is not a valid .tflite.
    """
    table, data = verify.read_model(file), file.read_bytes()
    graph = table["subgraphs"][0]
    tensors, operators = graph["tensors"], graph["operators"]
    dequantized_from = {  # float16 weights are inputs of a DEQUANTIZE
        each["outputs"][0]: each["inputs"][0]
        for each in operators
        if verify.builtin_op(table, each) == BuiltinOp.DEQUANTIZE
    }
    weights: dict[str, tuple[Floats, Floats]] = {}
    for operator in operators:
        if verify.builtin_op(table, operator) not in CONVOLUTIONS:
            continue
        stored = [tensors[dequantized_from.get(index, index)] for index in operator["inputs"][1:3]]
        if any(tensor.get("type", 0) not in FLOAT_TYPES for tensor in stored):
            continue
        kernel, bias = (_values(table, data, tensor) for tensor in stored)
        kernel = kernel.transpose(1, 2, 3, 0)  # from (out, h, w, in), or (1, h, w, channels) of a depthwise one
        weights |= dict.fromkeys(_layer_names(tensors[operator["outputs"][0]]["name"]), (kernel, bias))
    return weights


def _values(table: Table, data: bytes, tensor: Table) -> Floats:
    start, length = table["buffers"][tensor["buffer"]]["data"]
    array = np.frombuffer(data[start : start + length], FLOAT_TYPES[tensor.get("type", 0)])
    return np.asarray(array.reshape(tensor["shape"]), np.float32)


def _layer_names(tensor_name: str) -> set[str]:
    """Return the layers in a tensor's name, such as `model_1/stem_relu_1/Relu6;model_1/stem_1/convolution`."""
    parts = {part.split("/")[1] for part in tensor_name.split(";") if part.count("/") >= 2}
    return parts | {part.removesuffix("_1") for part in parts}  # Keras numbers the layers of a second trace


def _set_statistics(model: keras.Model, norms: dict[Any, Any], photos: Floats) -> None:
    """Scale each kernel to the size of a fresh one (He et al. 2015), and set the statistics of its outputs."""
    outputs = [layer.output for layer in norms]
    means = [ops.mean(output, axis=(0, 1, 2)) for output in outputs]
    squares = [ops.mean(ops.square(output), axis=(0, 1, 2)) for output in outputs]
    measured = keras.Model(model.input, [*means, *squares])(photos, training=False)
    figures = [np.asarray(figure) for figure in measured]
    for (layer, norm), mean, square in zip(norms.items(), figures, figures[len(means) :], strict=False):
        kernel, bias = layer.get_weights()[0], norm.get_weights()[1]
        axes = (0, 1, 3) if isinstance(layer, keras.layers.DepthwiseConv2D) else (0, 1, 2)
        size = np.sqrt(np.mean(np.square(kernel), axes))
        factor = np.sqrt(2 / np.prod([kernel.shape[axis] for axis in axes])) / np.maximum(size, 1e-6)
        variance = np.maximum(square - np.square(mean), 0) * np.square(factor)
        layer.set_weights([kernel * (factor[:, None] if axes[2] == 3 else factor)])
        gamma = np.sqrt(variance + norm.epsilon) / factor
        norm.set_weights([gamma, bias + mean, mean * factor, variance])
