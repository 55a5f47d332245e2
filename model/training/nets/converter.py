"""Convert a float model to a .tflite by one of several recipes, with TensorFlow's converter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.training import cli
from model.training.cli import CommandError

if TYPE_CHECKING:
    from model.training.nets.float_model import FloatModel

RECIPES = ("float32", "float16", "dynamic", "int8", "int8-full")
INTEGER_RECIPES = ("int8", "int8-full")
# Patterns in the converter's messages, and the next step.
CONVERTER_STEPS = (
    ("ResizeBicubic", "; set interpolation='bilinear' in the layer that resizes, and save the model again"),
    (
        "BitwiseAnd",
        "; keras.ops.argmax needs operators that TFLite lacks: save the model without it (the function chooses the"
        " class of the highest score itself), or export it with tf.argmax",
    ),
    (
        r"'tf\.(Conv2D|DepthwiseConv2dNative|Conv2DBackpropInput|FusedBatchNormV3|BiasAdd|MatMul)' op is neither",
        "; the converter supports float32 only: quantize the .keras or .h5 file, which is converted to float32, or save"
        " the SavedModel in float32",
    ),
    ("flex op|custom op|Select TF", "; TFLite lacks this operator: replace its layer, and save the model again"),
)


def convert(model: FloatModel, recipe: str, inputs: list[NDArray[np.float32]]) -> bytes:
    """Convert a model to a .tflite.

    Args:
        model: The float model.
        recipe: One of RECIPES.
        inputs: Calibration inputs for the integer recipes, float32 of the input's shape each.

    Returns:
        The .tflite, without a card.

    Raises:
        CommandError: If TensorFlow's converter fails.
    """
    import tensorflow as tf

    def converter() -> Any:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([model.function])  # makes the weights constants
        if recipe != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if recipe == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if recipe in INTEGER_RECIPES:
            converter.representative_dataset = lambda: ([tensor] for tensor in inputs)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if recipe == "int8-full":
            converter.inference_input_type = converter.inference_output_type = tf.int8
        return converter

    try:
        with cli.silence_native_output():
            return bytes(converter().convert())
    except Exception as error:  # ConverterError, and whatever else the converter raises
        raise CommandError(f"the recipe {recipe} cannot convert the model: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return the line of a converter's message that names the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "error:" in line or "not supported" in line or "Op" in line]
    reason = cli.one_line(re.sub(r"^.*\.py:\d+:\d+: error: ", "", (causes or lines or [type(error).__name__])[0]), 300)
    step = next((step for pattern, step in CONVERTER_STEPS if re.search(pattern, str(error))), "")
    return f"{reason}{step}"
