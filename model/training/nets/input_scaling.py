"""Find out whether a model scales its input itself, in a Rescaling or Normalization layer or in plain arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

MOVES = {"Identity", "Cast", "Reshape", "Transpose", "StridedSlice", "ReverseV2", "ResizeBilinear"}
ARITHMETIC = {"Mul", "Sub", "AddV2", "Add", "RealDiv", "BiasAdd"}
OPS_LIMIT = 30  # the most operators to follow from the input

Range = tuple[float, float]


def taken_range(function: Any) -> Range | None:
    """Return the range of pixel values that a model takes, as its own scaling shows.

    Args:
        function: A concrete function of one float32 image.

    Returns:
        (0, 255) or (0, 1); None if the model does not scale its input, or in another way.
    """
    frozen = convert_variables_to_constants_v2(function)
    image = frozen.inputs[0]
    scaled = _scaled(image)
    if scaled is image:
        return None
    run = frozen.prune([image], [scaled])
    zero, one = (np.asarray(run(tf.fill(image.shape, value))[0], np.float64) for value in (0.0, 1.0))
    factor = np.abs(one - zero)
    if factor.min() == 0 or (np.allclose(factor, 1) and not zero.any()):
        return None
    return _range(float(factor.max()), float(np.abs(zero / factor).max()))


def _range(factor: float, root: float) -> Range | None:
    """Return the range of an input that becomes factor * (input - root) per channel; None if it is not clear."""
    if factor <= 0.05 or root > 20:
        return (0.0, 255.0)
    if factor >= 50 or (factor > 1 and 0 < root <= 1):
        return (0.0, 1.0)
    return None


def _scaled(tensor: Any) -> Any:
    """Return the last tensor that only arithmetic with constants separates from the image."""
    for _ in range(OPS_LIMIT):
        consumers = [operation for operation in tensor.consumers() if operation.type != "Shape"]
        if len(consumers) != 1 or consumers[0].type not in MOVES | ARITHMETIC or len(consumers[0].outputs) != 1:
            break
        tensor = consumers[0].outputs[0]
    return tensor
