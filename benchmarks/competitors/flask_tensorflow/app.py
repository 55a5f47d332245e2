"""The server of the original article: Flask's development server, full TensorFlow, the tensor as a JSON list."""

import os

import numpy as np
import tensorflow as tf
from flask import Flask, Response, jsonify, request
from PIL import Image

MEAN, STD = 127.0, 128.0

app = Flask(__name__)
interpreter = tf.lite.Interpreter(model_path=os.environ["MODEL"])
interpreter.allocate_tensors()
input_details = interpreter.get_input_details()
output_details = interpreter.get_output_details()


@app.route("/predict", methods=["POST"])
def predict() -> Response:
    """Return the model's output for the photo in the form field `file`."""
    _, height, width, _ = input_details[0]["shape"]
    image = Image.open(request.files["file"]).convert("RGB").resize((width, height))
    batch = np.expand_dims((np.array(image, dtype=np.float32) - MEAN) / STD, 0)
    interpreter.set_tensor(input_details[0]["index"], batch)
    interpreter.invoke()
    result = interpreter.get_tensor(output_details[0]["index"])
    return jsonify({"result": result.tolist()})


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
