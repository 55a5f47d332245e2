"""A pool of interpreters, one for each photo worked on at once. The TFLite runtime enters here.

An interpreter is not safe for two threads, and two threads inside one are slower than one on a busy
machine: so each has one thread, and each request has one interpreter to itself.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import Busy, InferenceFailed, ModelRejected

try:
    from tflite_runtime import interpreter as tflite
except ModuleNotFoundError:  # Python 3.12 and later
    from ai_edge_litert import interpreter as tflite

RUNTIME = tflite.__name__.partition(".")[0]

Tensor = NDArray[np.float32]


class Engine:
    """Interpreters of one model: the first is made at once, the others when they are first needed.

    input_wh: width and height of the model's input
    classes: channels of its output
    """

    def __init__(self, model: Path, size: int) -> None:
        """Load the model once, so that one that cannot serve is refused here.

        size: interpreters at most
        raises: ModelRejected
        """
        self._model = model
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()  # the last used is the warmest
        self._unmade = size - 1
        self._lock = threading.Lock()
        first = _interpreter(model)
        self.input_wh, self.classes = _shapes(first)
        self._free.put(first)

    @contextmanager
    def borrow(self, wait_limit_s: float) -> Iterator[Any]:
        """Lend an interpreter, and take it back however the borrower ends.

        raises: Busy when none comes free within the limit
        """
        interpreter = self._take(wait_limit_s)
        try:
            yield interpreter
        except InferenceFailed:
            interpreter = _interpreter(self._model)  # what state the failed one is in, nobody knows
            raise
        finally:
            self._free.put(interpreter)

    def _take(self, wait_limit_s: float) -> Any:
        try:
            return self._free.get_nowait()
        except queue.Empty:
            pass
        with self._lock:
            make = self._unmade > 0
            self._unmade -= make
        if make:
            return _interpreter(self._model)
        try:
            return self._free.get(timeout=wait_limit_s)
        except queue.Empty:
            raise Busy("too many photos at once; try again in a moment") from None


def run(interpreter: Any, tensor: Tensor) -> Tensor:
    """Run the model once.

    tensor: float32 (1, h, w, 3), as tensor.to_input makes it
    returns: float32 (1, h', w', K), a copy
    raises: InferenceFailed
    """
    try:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
        interpreter.invoke()
        output: Tensor = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    except (ValueError, RuntimeError) as error:
        raise InferenceFailed("the model could not be run on this photo") from error
    return output


def _interpreter(model: Path) -> Any:
    try:
        interpreter = tflite.Interpreter(model_path=str(model), num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelRejected(f"{RUNTIME} cannot load {model.name}: {error}") from error
    return interpreter


def _shapes(interpreter: Any) -> tuple[tuple[int, int], int]:
    """Read the input's (width, height) and the output's channels.

    raises: ModelRejected for tensors that are not one float photo in, one float map out
    """
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    for kind, details, channels in (("input", inputs, {3}), ("output", outputs, range(1, 257))):
        if len(details) != 1:
            raise ModelRejected(f"the model has {len(details)} {kind}s; it must have one")
        shape, dtype = details[0]["shape"], details[0]["dtype"]
        if len(shape) != 4 or shape[0] != 1 or shape[3] not in channels or dtype != np.float32:
            raise ModelRejected(f"the model's {kind} is {dtype.__name__} {shape.tolist()}: no float map of one photo")
    _, height, width, _ = inputs[0]["shape"]
    return (int(width), int(height)), int(outputs[0]["shape"][3])
