"""The training pipeline: from photos and masks, or from a Keras model, to an evaluated .tflite. It is never deployed.

Seven commands, each `python -m model.training.NAME`:

    dataset     download Oxford-IIIT Pet, or check your own photos and masks
    train       train the bundled model's network
    make        quantize, check and describe a Keras model
    quantize    convert a Keras model to a .tflite with its card inside
    evaluate    compare models on the same photos, and measure their latency and memory
    describe    print a .tflite's tensors, operators and card, or embed a card
    publish     upload a .tflite to Cloud Storage

They share `cli` (errors, progress bar, atomic writes), `photo_options`, `reading_options` and `card_options`;
`card_draft`, `normalization`, `input_meaning` and `output_meaning` put a model card together. Below them, in the order
in which they may import each other:

    fit         the training loop, its schedule, losses and history
    measure     evaluation, metrics, latency and the report
    nets        the network, its ImageNet weights, and conversions of Keras models
    data        photos with masks: reading, splitting, augmenting and downloading them

All of them import the function's own modules in `model`, so that a model is evaluated by the code that serves it.
"""

import logging
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # only fatal messages; errors are raised as exceptions anyway
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
logging.getLogger("absl").setLevel(logging.ERROR)  # without the warnings of each conversion and each .h5
