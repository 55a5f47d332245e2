"""A float model from whatever Keras or TensorFlow saved it as."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model.training.cli import CommandError, one_line

SUFFIXES = (".h5", ".hdf5", ".keras")
SIGNATURES = ("serving_default", "serve")


@dataclass(frozen=True)
class FloatModel:
    """A model as one function of one photo.

    function: a concrete function from float32 (1, h, w, 3) to float32 (1, h', w', K)
    owner: what keeps the function's variables alive
    input_wh: width and height of its input
    classes: K
    """

    function: Any
    owner: Any
    input_wh: tuple[int, int]
    classes: int

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the model once."""
        return np.asarray(self.function(tf.constant(tensor)))


def load(file: Path, size_px: int | None = None) -> FloatModel:
    """Load a model: .h5, .hdf5 or .keras, of Keras 2 or 3, or a SavedModel folder.

    size_px: width and height where the model leaves them open
    raises: CommandError
    """
    if file.is_dir():
        call, shape, owner = _saved_model(file)
    elif not file.is_file():
        raise CommandError(f"there is no model at {file}")
    elif file.suffix.lower() in SUFFIXES:
        owner = _keras_model(file)
        if len(owner.inputs) != 1 or len(owner.outputs) != 1:
            raise CommandError(
                f"{file.name} has {len(owner.inputs)} inputs and {len(owner.outputs)} outputs, not one each"
            )
        shape = tuple(owner.inputs[0].shape)

        def call(image: Any) -> Any:
            return owner(image, training=False)
    else:
        raise CommandError(f"{file.name} is no {', '.join(SUFFIXES)} and no SavedModel folder")
    return _one_photo(file.name, call, owner, _fixed(file.name, shape, size_px))


def _fixed(name: str, shape: tuple[int | None, ...], size_px: int | None) -> tuple[int, int, int, int]:
    if len(shape) != 4 or shape[3] != 3:
        raise CommandError(f"the input of {name} has the shape {shape}; it must be photos, (N, height, width, 3)")
    height, width = shape[1] or size_px, shape[2] or size_px
    if not height or not width:
        raise CommandError(f"{name} leaves the size of its input open; say --size")
    return 1, height, width, 3


def _one_photo(name: str, call: Any, owner: Any, shape: tuple[int, int, int, int]) -> FloatModel:
    """Trace the model for one photo of a fixed size: what fits the runtimes best."""
    spec = tf.TensorSpec(shape, tf.float32, name="image")
    try:
        function = tf.function(lambda image: tf.cast(call(image), tf.float32)).get_concrete_function(spec)
        function(tf.zeros(shape))  # so that what TensorFlow has to say at first is said now
    except Exception as error:  # whatever a stranger's layers raise
        raise CommandError(
            f"{name} cannot be run on one photo of {shape[2]} x {shape[1]}: {one_line(str(error))}"
        ) from error
    output = function.output_shapes
    if len(output) != 4 or not all(output):
        raise CommandError(f"the output of {name} has the shape {output}; it must be (1, height, width, classes)")
    return FloatModel(function, owner, (shape[2], shape[1]), int(output[3]))


def _saved_model(folder: Path) -> tuple[Any, tuple[int | None, ...], Any]:
    try:
        owner = tf.saved_model.load(str(folder))
    except Exception as error:
        raise CommandError(f"{folder} is no SavedModel that loads: {one_line(str(error))}") from error
    found = next((name for name in SIGNATURES if name in owner.signatures), None)
    if found is None:
        raise CommandError(f"{folder} has no signature {' or '.join(SIGNATURES)}; it has {list(owner.signatures)}")
    signature = owner.signatures[found]
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise CommandError(f"{folder} has {len(inputs)} inputs and {len(outputs)} outputs, not one each")
    input_name, spec = next(iter(inputs.items()))
    output_name = next(iter(outputs))

    def call(image: Any) -> Any:
        return signature(**{input_name: image})[output_name]

    return call, tuple(spec.shape), owner


def _keras_model(file: Path) -> Any:
    version = _keras_version(file)
    if version.startswith("2"):
        import tf_keras as keras
    else:
        import keras
    try:
        return keras.models.load_model(file, compile=False)
    except Exception as error:  # Keras raises what its layers raise
        why = str(error).rpartition("Exception encountered:")[2]  # Keras 3 puts the whole config before it
        raise CommandError(
            f"{file.name} cannot be loaded: {one_line(why, 160)} -- with objects of its own, save it where they"
            " are defined as a SavedModel (model.export('FOLDER')) and give that folder"
        ) from error


def _keras_version(file: Path) -> str:
    """Read which Keras wrote a file.

    raises: CommandError when it holds no whole model
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if "metadata.json" in archive.namelist():
                return str(json.loads(archive.read("metadata.json")).get("keras_version", "3"))
    import h5py

    try:
        with h5py.File(file) as stored:
            if "model_config" not in stored.attrs:
                raise CommandError(f"{file.name} holds weights alone; save the whole model with model.save(...)")
            version = stored.attrs.get("keras_version", "2")
    except OSError as error:
        raise CommandError(f"{file.name} is no file that Keras wrote, or it is damaged") from error
    return version.decode() if isinstance(version, bytes) else str(version)
