"""A straightforward function with the same model."""

import io
import os
from typing import Any

import flask
import functions_framework
import numpy as np
from PIL import Image

try:
    from tflite_runtime.interpreter import Interpreter
except ModuleNotFoundError:  # Python 3.12 and later
    from ai_edge_litert.interpreter import Interpreter

MEAN, STD, THRESHOLD = 127.0, 128.0, 0.5

interpreter = Interpreter(model_path=os.environ["MODEL"])
interpreter.allocate_tensors()
input_details = interpreter.get_input_details()[0]
output_details = interpreter.get_output_details()[0]
HEIGHT, WIDTH = input_details["shape"][1:3]


def quantize(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Convert values to the type of a quantized tensor; leave those of a float tensor as they are."""
    scale, zero_point = details["quantization"]
    if not scale:
        return values
    limits = np.iinfo(details["dtype"])
    return np.clip(np.round(values / scale) + zero_point, limits.min, limits.max).astype(details["dtype"])


def dequantize(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Convert the values of a quantized tensor to float32; leave those of a float tensor as they are."""
    scale, zero_point = details["quantization"]
    return (values.astype(np.float32) - zero_point) * np.float32(scale) if scale else values


@functions_framework.http
def run(request: flask.Request) -> flask.Response:
    """Return the mask of the uploaded photo."""
    photo = Image.open(io.BytesIO(request.get_data())).convert("RGB")
    small = np.asarray(photo.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR), np.float32)
    interpreter.set_tensor(input_details["index"], quantize((small[np.newaxis] - MEAN) / STD, input_details))
    interpreter.invoke()
    scores = dequantize(interpreter.get_tensor(output_details["index"])[0, :, :, 0], output_details)
    large = Image.fromarray(scores).resize(photo.size, Image.Resampling.BILINEAR)
    mask = Image.fromarray(((np.asarray(large) >= THRESHOLD) * 255).astype(np.uint8))
    file = io.BytesIO()
    mask.save(file, "PNG")
    return flask.Response(file.getvalue(), mimetype="image/png")
