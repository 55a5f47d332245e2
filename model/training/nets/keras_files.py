"""A Keras model or SavedModel from a file, as one function of one photo."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import multiprocessing
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import tensorflow as tf

from model.tflite.probe import TensorHints
from model.training.cli import CommandError, one_line, silence_native_output
from model.training.nets import custom_objects, float_model, saved_models
from model.training.nets.float_model import FloatModel, Source

CONFIG = "config.json"  # member of a .keras file
SUFFIXES = (".h5", ".hdf5", ".keras")
LAMBDA = re.compile(r'"class_name": "Lambda"')
EXPORT = "export a SavedModel where it was trained, as in docs/training.md, 'Export a SavedModel'"
BYTECODE = f"a Lambda layer is stored as bytecode of one version of Python; {EXPORT}"
OTHER_FLOATS = re.compile(r'"(mixed_float16|mixed_bfloat16|float16|bfloat16|float64)"')
FROM_ONNX = (
    "convert it with `onnx2tf -i FILE.onnx -o FOLDER`; pass FOLDER, or embed a card in a .tflite there with"
    " `python -m model.training.describe FILE.tflite --write`"
)
FROM_PYTORCH = f"export it with torch.onnx.export and {FROM_ONNX}"
WEIGHTS_ONLY = "it holds only weights; load them into the model, and save it with model.save('FILE.keras')"
NEXT_STEPS = {
    ".tflite": "it is converted already; embed its card with `python -m model.training.describe FILE.tflite --write`",
    ".onnx": FROM_ONNX,
    ".pt": FROM_PYTORCH,
    ".pth": FROM_PYTORCH,
    ".pb": "pass the folder of the SavedModel that contains it; convert a frozen graph with"
    " tf.compat.v1.lite.TFLiteConverter.from_frozen_graph, and use `describe --write` on the .tflite",
    ".json": "it holds a model without weights; save the whole model with model.save('FILE.keras')",
    ".ckpt": WEIGHTS_ONLY,
    ".index": WEIGHTS_ONLY,
}


@dataclass(frozen=True)
class LoadOptions:
    """What the user states about a model.

    Attributes:
        output: Name or index of the output that holds the segmentation; None to choose it by its shape.
        classes: Number of classes, which decides between several outputs; None if it is not known.
        signature: Name of the signature of a SavedModel; None for the default one.
        custom_objects: Path of a .py file, or name of a module, that defines custom layers.
    """

    output: str | int | None = None
    classes: int | None = None
    signature: str | None = None
    custom_objects: str | None = None


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
        step = NEXT_STEPS.get(file.suffix.lower(), "save the model with model.save('FILE.keras')")
        raise CommandError(f"{file.name} is neither a {', '.join(SUFFIXES)} file nor a SavedModel folder: {step}")
    return _keras_source(file.name, _load_keras_model(file, options.custom_objects))


def _keras_source(name: str, model: Any) -> Source:
    """Return a Keras model as a source."""
    inputs = getattr(model, "inputs", None) or [tf.TensorSpec((None, None, None, 3), tf.float32)]
    if len(inputs) != 1:
        raise CommandError(f"{name} has {len(inputs)} inputs; save a model with a single input, an image")
    output_names = list(getattr(model, "output_names", None) or [])

    def call(image: Any) -> dict[str, Any]:
        with _convertible_argmax():
            result = model(image, training=False)
        if isinstance(result, dict):
            return result
        values = tf.nest.flatten(result)
        names = output_names if len(output_names) == len(values) else [str(i) for i in range(len(values))]
        return dict(zip(names, values, strict=True))

    return Source(name, call, tuple(inputs[0].shape), tf.as_dtype(inputs[0].dtype), model)


@contextlib.contextmanager
def _convertible_argmax() -> Iterator[None]:
    """Let keras.ops.argmax do without bitwise operators, which TFLite lacks; they only order -0.0 before 0.0."""
    try:
        from keras.src.backend.tensorflow import numpy as backend
    except ImportError:
        yield
        return
    with mock.patch.object(backend, "signbit", lambda x: x < 0, create=True):
        yield


def _load_keras_model(file: Path, custom_module: str | None) -> Any:
    """Load a model with the version of Keras that wrote it, or else with the other one."""
    libraries = ("tf_keras", "keras") if _keras_version(file).startswith("2") else ("keras", "tf_keras")
    custom = custom_objects.load(custom_module) if custom_module else {}
    with tempfile.TemporaryDirectory() as folder:
        readable = float32_file(file, Path(folder))
        if LAMBDA.search(_config(file)) and not zipfile.is_zipfile(file):
            _check_bytecode(file, libraries[0], custom_module)
        try:
            return _load_with(libraries[0], readable, custom)
        except Exception as error:  # a custom layer may raise anything
            with contextlib.suppress(Exception):
                return _load_with(libraries[1], readable, custom)
            raise CommandError(f"{file.name} cannot be loaded: {_explain(error)}") from error


def _check_bytecode(file: Path, package: str, custom_module: str | None) -> None:
    """Load a file with Lambda layers in a child process, which bytecode of another version of Python may crash."""
    process = multiprocessing.get_context("spawn").Process(target=_load_silently, args=(file, package, custom_module))
    process.start()
    process.join()
    if (process.exitcode or 0) < 0:
        raise CommandError(f"{file.name} cannot be loaded: {BYTECODE}")


def _load_silently(file: Path, package: str, custom_module: str | None) -> None:
    """Run in the child process: load a file, and exit."""
    faulthandler.disable()
    with silence_native_output(), contextlib.suppress(Exception):
        _load_with(package, file, custom_objects.load(custom_module) if custom_module else {})
    os._exit(0)


def _load_with(package: str, file: Path, custom: dict[str, Any]) -> Any:
    library = importlib.import_module(package)
    return library.models.load_model(file, custom_objects=custom_objects.known(library) | custom, compile=False)


def _explain(error: Exception) -> str:
    """Return why a model cannot be loaded, and the next step."""
    text = str(error)
    reason = one_line(text.rpartition("Exception encountered:")[2], 160)  # Keras 3 puts the configuration before it
    if re.search("[Ll]ambda|marshal", text):
        return f"{reason} -- {BYTECODE}"
    return f"{reason} -- pass the file or package that defines its custom objects to --custom-objects, or {EXPORT}"


def float32_file(file: Path, folder: Path) -> Path:
    """Return a file of the same model in float32, which is what the converter supports.

    Args:
        file: An .h5, .hdf5 or .keras file, possibly with mixed precision or float64.
        folder: Folder for a copy, if one is needed.

    Returns:
        The copy, or the file itself if it is in float32.
    """
    config, copy = _config(file), folder / file.name
    if not OTHER_FLOATS.search(config):
        return file
    config = OTHER_FLOATS.sub('"float32"', config)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive, zipfile.ZipFile(copy, "w") as target:
            for name in archive.namelist():
                target.writestr(name, config if name == CONFIG else archive.read(name))
        return copy
    import h5py

    shutil.copy(file, copy)
    with h5py.File(copy, "r+") as stored:
        stored.attrs["model_config"] = config
    return copy


def _config(file: Path) -> str:
    """Return the configuration of a model as JSON."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if CONFIG not in archive.namelist():
                raise CommandError(f"{file.name} has no {CONFIG}; save the whole model again with model.save(...)")
            return archive.read(CONFIG).decode()
    import h5py

    with h5py.File(file) as stored:
        config = stored.attrs["model_config"]
    return config.decode() if isinstance(config, bytes) else str(config)


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
