"""A Keras model or SavedModel from a file, as one function of one photo."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from model.tflite.probe import TensorHints
from model.training.cli import CommandError, one_line
from model.training.nets import float_model, saved_models
from model.training.nets.float_model import FloatModel, Source

SUFFIXES = (".h5", ".hdf5", ".keras")


@dataclass(frozen=True)
class LoadOptions:
    """What the user states about a model.

    Attributes:
        output: Name or index of the output that holds the segmentation; None to choose it by its shape.
        classes: Number of classes, which decides between several outputs; None if it is not known.
        signature: Name of the signature of a SavedModel; None for the default one.
    """

    output: str | int | None = None
    classes: int | None = None
    signature: str | None = None


def load(file: Path, size: int | tuple[int, int] | None = None, options: LoadOptions = LoadOptions()) -> FloatModel:
    """Load a model.

    Args:
        file: An .h5, .hdf5 or .keras file of Keras 2 or 3, or a SavedModel folder.
        size: Width and height of the input, or its side if they are equal, for a model of any input size.
        options: What the user states about it.

    Returns:
        The model.

    Raises:
        CommandError: If there is no such file, or it cannot be loaded or run.
        ModelRejected: If it is not a segmentation model.
    """
    size_wh = (size, size) if isinstance(size, int) else size
    source = _read(file, options)
    return float_model.trace(source, size_wh, TensorHints(output=options.output, class_count=options.classes))


def _read(file: Path, options: LoadOptions) -> Source:
    """Read a file of any format."""
    if file.is_dir():
        return saved_models.read(file, options.signature)
    if not file.is_file():
        raise CommandError(f"there is no model at {file}")
    if file.suffix.lower() not in SUFFIXES:
        raise CommandError(f"{file.name} is neither a {', '.join(SUFFIXES)} file nor a SavedModel folder")
    return _keras_source(file.name, _load_keras_model(file))


def _keras_source(name: str, model: Any) -> Source:
    """Return a Keras model as a source."""
    inputs = getattr(model, "inputs", None) or [tf.TensorSpec((None, None, None, 3), tf.float32)]
    if len(inputs) != 1:
        raise CommandError(f"{name} has {len(inputs)} inputs; save a model with a single input, an image")
    output_names = list(getattr(model, "output_names", None) or [])

    def call(image: Any) -> dict[str, Any]:
        values = tf.nest.flatten(model(image, training=False))
        names = output_names if len(output_names) == len(values) else [str(i) for i in range(len(values))]
        return dict(zip(names, values, strict=True))

    return Source(name, call, tuple(inputs[0].shape), tf.as_dtype(inputs[0].dtype), model)


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
