"""A .tflite of any door, float or integer, run by whichever runtime this Python has.

It imports no TensorFlow unless nothing else is installed: `probe` runs it in the environments that serve.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelRejected

RUNTIMES = {
    "ai_edge_litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}


def installed() -> tuple[str, Any]:
    """Import the first runtime that this Python has.

    returns: its name and its module
    raises: ModuleNotFoundError when there is none
    """
    for name, module in RUNTIMES.items():
        try:
            return name, importlib.import_module(module)
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError("no TFLite runtime is installed", name="ai_edge_litert")


class Interpreter:
    """One model in one thread, floats in and floats out, whatever is at its door.

    runtime: the name of the runtime that runs it
    xnnpack: False where the runtime's XNNPACK refused the model, and it runs without
    input_wh: width and height of its input
    classes: channels of its output
    """

    def __init__(self, file: Path) -> None:
        """Load a model.

        raises: FileNotFoundError, ModelRejected
        """
        if not file.is_file():
            raise FileNotFoundError(2, "no such file", str(file))
        self.runtime, module = installed()
        self.xnnpack = True
        try:
            self.raw = load(module, file)
        except (ValueError, RuntimeError) as first:
            self.xnnpack = False
            try:
                self.raw = load(module, file, plain=True)
            except (ValueError, RuntimeError):
                raise ModelRejected(f"{self.runtime} cannot load {file.name}: {first}") from first
        self._input, self._output = _only(self.raw.get_input_details()), _only(self.raw.get_output_details())
        _, height, width, channels = _map_shape(self._input)
        if channels != 3:
            raise ModelRejected(f"the input of {file.name} has {channels} channels last where 3 can be measured")
        self.input_wh = int(width), int(height)
        self.classes = int(_map_shape(self._output)[3])

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the model once.

        tensor: float32 (1, h, w, 3), as tensor.to_input makes it
        returns: float32 (1, h', w', K)
        """
        self.raw.set_tensor(self._input["index"], quantized(tensor, self._input))
        self.raw.invoke()
        return floats(self.raw.get_tensor(self._output["index"]), self._output)


def load(module: Any, file: Path, plain: bool = False) -> Any:
    """Make an interpreter of a runtime's module.

    plain: without XNNPACK
    raises: ValueError or RuntimeError, as the runtime does
    """
    options = {}
    if plain:
        options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    raw = module.Interpreter(model_path=str(file), num_threads=1, **options)
    raw.allocate_tensors()
    return raw


def quantized(values: NDArray[np.float32], details: dict[str, Any]) -> NDArray[Any]:
    """Bring floats to the type of a tensor, by its scale and zero point where it is of integers."""
    dtype = details["dtype"]
    if not np.issubdtype(dtype, np.integer):
        return values.astype(dtype)
    scale, zero = details["quantization"]
    limits = np.iinfo(dtype)
    levels: NDArray[Any] = np.clip(np.round(values / (scale or 1)) + zero, limits.min, limits.max).astype(dtype)
    return levels


def floats(values: NDArray[Any], details: dict[str, Any]) -> NDArray[np.float32]:
    """Bring a tensor's values to floats, by its scale and zero point where it is of integers."""
    if not np.issubdtype(details["dtype"], np.integer):
        return values.astype(np.float32)
    scale, zero = details["quantization"]
    return np.asarray((values.astype(np.float32) - zero) * (scale or 1), np.float32)


def _only(details: list[dict[str, Any]]) -> dict[str, Any]:
    if len(details) != 1:
        raise ModelRejected(f"the model has {len(details)} inputs or outputs where one of each can be measured")
    return details[0]


def _map_shape(details: dict[str, Any]) -> NDArray[np.int32]:
    shape: NDArray[np.int32] = details["shape"]
    if len(shape) != 4 or shape[0] != 1:
        raise ModelRejected(f"tensor {details['name']} has the shape {shape.tolist()}: no map of one photo")
    return shape
