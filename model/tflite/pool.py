"""A pool of interpreters: each request borrows one for itself.

An interpreter is not thread-safe, and two threads inside one are slower than one on a busy machine: so each has
one thread, and as many requests run at once as there are interpreters.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from numpy.typing import NDArray

from model.errors import Busy, InferenceFailed, ModelRejected
from model.tflite import runtime
from model.tflite.probe import ProbedModel
from model.tflite.runtime import Interpreter

Tensor = NDArray[Any]


class InterpreterPool:
    """Interpreters of one model: the first is that of the probe, the others are created when first needed."""

    def __init__(self, probed: ProbedModel, size: int) -> None:
        """Create a pool.

        Args:
            probed: The model.
            size: Maximum number of interpreters.
        """
        self._create = partial(runtime.create_interpreter, probed.file, probed.input_shape, xnnpack=probed.xnnpack)
        self._output_index = probed.output.index
        self._idle: queue.LifoQueue[Interpreter] = queue.LifoQueue()  # last in, first out: reuse the warmest caches
        self._idle.put(probed.interpreter)
        self._missing = threading.Semaphore(size - 1)  # interpreters that do not exist: not created yet, or failed

    @contextmanager
    def borrow(self, wait_limit_s: float) -> Iterator[Interpreter]:
        """Lend an interpreter for the body of a with statement; one that fails there is replaced.

        One that cannot be created, for lack of memory, is tried again by a later request: the pool never shrinks.

        Args:
            wait_limit_s: Seconds to wait for one.

        Raises:
            Busy: If none becomes idle within the limit.
        """
        interpreter: Interpreter | None = self._acquire(wait_limit_s)
        try:
            yield interpreter
        except InferenceFailed:
            interpreter = self._try_create()  # the state of the failed one is undefined
            raise
        finally:
            if interpreter is not None:
                self._idle.put(interpreter)

    def run(self, interpreter: Interpreter, tensor: Tensor) -> Tensor:
        """Run the model once.

        Args:
            interpreter: A borrowed one.
            tensor: The input, of the shape and dtype of the model's input.

        Returns:
            The output tensor as the model stores it, a copy.

        Raises:
            InferenceFailed: If the runtime cannot run the model on it.
            MemoryError: If there is no memory for the tensors.
        """
        try:
            detail = interpreter.get_input_details()[0]
            if tuple(detail["shape"]) != tensor.shape:
                runtime.allocate(interpreter, tensor.shape)
            interpreter.set_tensor(detail["index"], tensor)
            interpreter.invoke()
            output: Tensor = interpreter.get_tensor(interpreter.get_output_details()[self._output_index]["index"])
        except (ValueError, RuntimeError) as error:
            raise InferenceFailed("the model could not be run on this photo") from error
        return output

    def _acquire(self, wait_limit_s: float) -> Interpreter:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            pass
        if self._missing.acquire(blocking=False) and (interpreter := self._try_create()) is not None:
            return interpreter
        try:
            return self._idle.get(timeout=wait_limit_s)
        except queue.Empty:
            raise Busy("too many photos at once; try again in a moment") from None

    def _try_create(self) -> Interpreter | None:
        """Create an interpreter; return None, and count it as missing, if the memory does not suffice for it.

        The runtime loaded this model before, so that no other reason is left.
        """
        try:
            interpreter, _ = self._create()
        except (ModelRejected, MemoryError):
            self._missing.release()
            return None
        return interpreter
