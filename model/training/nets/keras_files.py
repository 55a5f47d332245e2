"""A Keras model or SavedModel from a file, as one function of one photo."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model.training.cli import CommandError, one_line

SUFFIXES = (".h5", ".hdf5", ".keras")
SIGNATURES = ("serving_default", "serve")

Call = Callable[[Any], Any]
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class FloatModel:
    """A model as a function of one photo.

    Attributes:
        function: A concrete function from float32 (1, h, w, 3) to float32 (1, h', w', K).
        owner: The object that keeps the function's variables alive.
        input_wh: Width and height of the input, in pixels.
        classes: K, the channels of the output.
    """

    function: Any
    owner: Any
    input_wh: tuple[int, int]
    classes: int

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the model once, from float32 (1, h, w, 3) to float32 (1, h', w', K)."""
        return np.asarray(self.function(tf.constant(tensor)))


def load(file: Path, size_px: int | None = None) -> FloatModel:
    """Load a model.

    Args:
        file: An .h5, .hdf5 or .keras file of Keras 2 or 3, or a SavedModel folder.
        size_px: Width and height of the input, for a model that accepts any.

    Returns:
        The model.

    Raises:
        CommandError: If there is no such file, it cannot be loaded, or it is not a segmentation model.
    """
    if file.is_dir():
        return _one_photo(file.name, *_load_saved_model(file), size_px)
    if not file.is_file():
        raise CommandError(f"there is no model at {file}")
    if file.suffix.lower() not in SUFFIXES:
        raise CommandError(f"{file.name} is neither a {', '.join(SUFFIXES)} file nor a SavedModel folder")
    model = _load_keras_model(file)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise CommandError(_not_one_each(file.name, len(model.inputs), len(model.outputs)))
    return _one_photo(
        file.name, lambda image: model(image, training=False), tuple(model.inputs[0].shape), model, size_px
    )


def _one_photo(name: str, call: Call, shape: Shape, owner: Any, size_px: int | None) -> FloatModel:
    """Trace a model for one photo of a fixed size, which the runtimes execute best."""
    if len(shape) != 4 or shape[3] != 3:
        raise CommandError(f"the input of {name} has the shape {shape}; it must be (N, height, width, 3)")
    height, width = shape[1] or size_px, shape[2] or size_px
    if not height or not width:
        raise CommandError(f"{name} accepts any input size; set one with --size")
    spec = tf.TensorSpec((1, height, width, 3), tf.float32, name="image")
    try:
        function = tf.function(lambda image: tf.cast(call(image), tf.float32)).get_concrete_function(spec)
        function(tf.zeros(spec.shape))  # TensorFlow prints its first-run warnings here, where they are silenced
    except Exception as error:  # a custom layer may raise anything
        raise CommandError(f"{name} cannot run on a photo of {width} x {height}: {one_line(str(error))}") from error
    output = function.output_shapes
    if len(output) != 4 or not all(output):
        raise CommandError(f"the output of {name} has the shape {output}; it must be (1, height, width, classes)")
    return FloatModel(function, owner, (width, height), int(output[3]))


def _load_saved_model(folder: Path) -> tuple[Call, Shape, Any]:
    """Load a SavedModel, and return its signature as a function, the shape of its input, and the object itself."""
    try:
        owner = tf.saved_model.load(str(folder))
    except Exception as error:
        raise CommandError(f"{folder} cannot be loaded as a SavedModel: {one_line(str(error))}") from error
    name = next((name for name in SIGNATURES if name in owner.signatures), None)
    if name is None:
        raise CommandError(f"{folder} has no signature {' or '.join(SIGNATURES)}, only {list(owner.signatures)}")
    signature = owner.signatures[name]
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise CommandError(_not_one_each(str(folder), len(inputs), len(outputs)))
    input_name, spec = next(iter(inputs.items()))
    output_name = next(iter(outputs))
    return lambda image: signature(**{input_name: image})[output_name], tuple(spec.shape), owner


def _not_one_each(name: str, inputs: int, outputs: int) -> str:
    return f"{name} has {inputs} inputs and {outputs} outputs; it must have one of each"


def _load_keras_model(file: Path) -> Any:
    """Load a model with the version of Keras that wrote it."""
    if _keras_version(file).startswith("2"):
        import tf_keras as keras
    else:
        import keras
    try:
        return keras.models.load_model(file, compile=False)
    except Exception as error:  # a custom layer may raise anything
        reason = str(error).rpartition("Exception encountered:")[2]  # Keras 3 puts the whole configuration before it
        raise CommandError(
            f"{file.name} cannot be loaded: {one_line(reason, 160)} -- if it has custom objects, export it as a"
            " SavedModel where they are defined (model.export('FOLDER')) and pass that folder"
        ) from error


def _keras_version(file: Path) -> str:
    """Return the version of Keras that wrote a file; raise CommandError if it does not hold a whole model."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if "metadata.json" in archive.namelist():
                return str(json.loads(archive.read("metadata.json")).get("keras_version", "3"))
    import h5py

    try:
        with h5py.File(file) as stored:
            if "model_config" not in stored.attrs:
                raise CommandError(f"{file.name} holds only weights; save the whole model with model.save(...)")
            version = stored.attrs.get("keras_version", "2")
    except OSError as error:
        raise CommandError(f"{file.name} is damaged or was not written by Keras") from error
    return version.decode() if isinstance(version, bytes) else str(version)
