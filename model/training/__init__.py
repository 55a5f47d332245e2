"""The workshop: from photos and masks, or from a Keras model, to a .tflite that proves itself.

One command a step: dataset, train, quantize, evaluate, describe, publish. Nothing in here is deployed.
"""

import logging
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own remarks; errors arrive as exceptions anyway
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
logging.getLogger("absl").setLevel(logging.ERROR)  # else each conversion and each .h5 comes with advice
