"""A straightforward function with the same model."""

import io
import os

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


@functions_framework.http
def run(request: flask.Request) -> flask.Response:
    """Return the mask of the uploaded photo."""
    photo = Image.open(io.BytesIO(request.get_data())).convert("RGB")
    small = np.asarray(photo.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR), np.float32)
    interpreter.set_tensor(input_details["index"], (small[np.newaxis] - MEAN) / STD)
    interpreter.invoke()
    scores = interpreter.get_tensor(output_details["index"])[0, :, :, 0]
    large = Image.fromarray(scores).resize(photo.size, Image.Resampling.BILINEAR)
    mask = Image.fromarray(((np.asarray(large) >= THRESHOLD) * 255).astype(np.uint8))
    file = io.BytesIO()
    mask.save(file, "PNG")
    return flask.Response(file.getvalue(), mimetype="image/png")
