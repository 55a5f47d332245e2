"""Initial weights of a run from models that train saved, or from .tflite files made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from model.training.cli import CommandError
from model.training.nets import tflite_weights

DrawPhotos = Callable[[], NDArray[np.float32]]


def load_mean(model: keras.Model, files: Sequence[Path], draw_photos: DrawPhotos) -> None:
    """Set a model's weights to the mean of those of models that started from the same weights.

    The mean is mostly better than each of them ("model soups", Wortsman et al. 2022).

    Args:
        model: The network, with batch normalization.
        files: .h5 files that train saved, or float .tflite files made of them.
        draw_photos: Returns network inputs as in training, float32 (N, h, w, 3); called only for .tflite files.

    Raises:
        CommandError: If a file holds another network, or one with other classes.
    """
    weights = []
    for file in files:
        load(model, file, draw_photos)
        weights.append(model.get_weights())
    model.set_weights([np.mean(arrays, axis=0) for arrays in zip(*weights, strict=True)])


def load(model: keras.Model, file: Path, draw_photos: DrawPhotos) -> None:
    """Set a model's weights to those in one file; arguments and errors are those of `load_mean`."""
    if file.suffix == ".tflite":
        tflite_weights.load(model, file, draw_photos())
        return
    try:
        model.set_weights(keras.models.load_model(file, compile=False).get_weights())
    except (OSError, ValueError) as error:
        raise CommandError(f"{file} is not a model of this network with {model.output_shape[-1]} channels") from error
