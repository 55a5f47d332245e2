"""Layers and functions that Keras does not define: those of common packages, and those of the user's own file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from model.training.cli import CommandError, one_line


def known(keras: ModuleType) -> dict[str, Any]:
    """Return objects of segmentation_models, efficientnet and keras-unet-collection by name.

    Args:
        keras: The package `keras` or `tf_keras`, for which they are defined.
    """

    class FixedDropout(keras.layers.Dropout):  # type: ignore[name-defined]
        """Dropout of efficientnet, which does nothing in inference."""

    class GELU(keras.layers.Layer):  # type: ignore[name-defined]
        """GELU of keras-unet-collection (Hendrycks & Gimpel 2016, in its approximation by tanh)."""

        def call(self, inputs: Any) -> Any:
            return keras.activations.gelu(inputs, approximate=True)

    swish = getattr(keras.activations, "swish", None) or keras.activations.silu
    return {"FixedDropout": FixedDropout, "GELU": GELU, "swish": swish}


def load(name: str) -> dict[str, Any]:
    """Import a module, and return its classes and functions by name.

    Objects that the module registers with Keras are known to Keras without this.

    Args:
        name: Path of a .py file, or name of an installed module.

    Raises:
        CommandError: If it cannot be imported.
    """
    try:
        module = _import_file(Path(name)) if name.endswith(".py") else importlib.import_module(name)
    except Exception as error:  # the module may raise anything
        raise CommandError(f"--custom-objects {name} cannot be imported: {one_line(str(error), 200)}") from error
    return {key: value for key, value in vars(module).items() if callable(value) and not key.startswith("_")}


def _import_file(file: Path) -> ModuleType:
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.resolve().parent))  # for modules beside it
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module
