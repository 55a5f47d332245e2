"""A pool of interpreters: each request borrows one for itself.

An interpreter is not thread-safe, and two threads inside one are slower than one on a busy machine: so each has
one thread, and as many requests run at once as there are interpreters. Requests that wait are served in the order in
which they arrived: an interpreter that becomes idle is handed to the first of them, so that no later one can take it.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
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
        self._lock = threading.Lock()  # guards the three attributes below
        self._idle: list[Interpreter] = [probed.interpreter]  # the last one returned is lent first: its caches are warm
        self._waiting: deque[queue.SimpleQueue[Interpreter]] = deque()  # empty while an interpreter is idle
        self._missing = size - 1  # interpreters that do not exist: not created yet, or failed

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
                self._hand_over(interpreter)

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
        turn: queue.SimpleQueue[Interpreter] = queue.SimpleQueue()
        with self._lock:
            if self._idle:
                return self._idle.pop()
            self._waiting.append(turn)
            may_create = self._missing > 0
            self._missing -= may_create
        if may_create and (interpreter := self._try_create()) is not None:
            self._hand_over(interpreter)  # to this request, unless others have waited longer
        try:
            return turn.get(timeout=wait_limit_s)
        except queue.Empty:
            with self._lock:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                    raise Busy("too many photos at once; try again in a moment") from None
            return turn.get()  # handed over just after the limit

    def _hand_over(self, interpreter: Interpreter) -> None:
        """Hand an interpreter to the request that has waited longest, or keep it idle if none waits."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().put(interpreter)
            else:
                self._idle.append(interpreter)

    def _try_create(self) -> Interpreter | None:
        """Create an interpreter; return None, and count it as missing, if the memory does not suffice for it.

        The runtime loaded this model before, so that no other reason is left.
        """
        try:
            interpreter, _ = self._create()
        except (ModelRejected, MemoryError):
            with self._lock:
                self._missing += 1
            return None
        return interpreter
