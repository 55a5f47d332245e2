"""A pool of interpreters, one for each photo worked on at once. The TFLite runtime enters here.

An interpreter is not safe for two threads, and two threads inside one are slower than one on a busy
machine: so each has one thread, and each request has one interpreter to itself.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import Busy, InferenceFailed, ModelRejected
from model.tflite import tensor_specs
from model.tflite.tensor_specs import InputSpec, OutputSpec

try:
    from tflite_runtime import interpreter as tflite
except ModuleNotFoundError:  # Python 3.12 and later
    from ai_edge_litert import interpreter as tflite

RUNTIME = tflite.__name__.partition(".")[0]
LITERT_OPS = ("Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D")  # of MediaPipe's models
OPEN_LIMIT_PX = 512  # of the longer side, where the model takes any size and the photo decides
TRIALS = ((100, 66, 1), (160, 96, 32))  # width, height, and the step that sizes must have if only this one works
PLAIN_NOTE = "runs without the XNNPACK delegate, which refuses this model: slower, and right"

FAULTS = (ValueError, RuntimeError, MemoryError)  # with which the runtime refuses

Tensor = NDArray[Any]


@dataclass(frozen=True)
class Wanted:
    """What the model's card says of its tensors, before anything is loaded; ModelCard explains each."""

    input_size: tuple[int, int] | None = None
    output: str | int | None = None
    output_size: tuple[int, int] | None = None
    classes: int | None = None


class Engine:
    """Interpreters of one model: the first is made at once, the others when they are first needed.

    input, output: what the model's tensors are
    notes: what is out of the ordinary about it, in words
    """

    input: InputSpec
    output: OutputSpec

    def __init__(self, model: Path, size: int, wanted: Wanted = Wanted(), custom_ops: tuple[str, ...] = ()) -> None:
        """Load the model once, so that one that cannot serve is refused here.

        size: interpreters at most
        custom_ops: that the model asks for
        raises: ModelRejected
        """
        self._model, self._wanted, self._custom_ops = model, wanted, custom_ops
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()  # the last used is the warmest
        self._unmade = size - 1
        self._lock = threading.Lock()
        self._plain = False
        self._step = 1
        self.notes: list[str] = []
        self._free.put(self._first())

    @property
    def input_wh(self) -> tuple[int, int]:
        """Width and height of the model's input: those it has, or the most that it is given."""
        return self.input.size_wh or (OPEN_LIMIT_PX, OPEN_LIMIT_PX)

    @property
    def classes(self) -> int:
        """Channels of the model's output."""
        return self.output.classes

    def size_for(self, photo_wh: tuple[int, int]) -> tuple[int, int]:
        """Give the input's width and height for a photo: its own up to a limit, where the model takes any."""
        if self.input.size_wh:
            return self.input.size_wh
        scale = min(1.0, OPEN_LIMIT_PX / max(photo_wh))
        width, height = (max(self._step, round(side * scale / self._step) * self._step) for side in photo_wh)
        return self.input.sized((width, height)).size_wh or (width, height)

    @contextmanager
    def borrow(self, wait_limit_s: float) -> Iterator[Any]:
        """Lend an interpreter, and take it back however the borrower ends.

        raises: Busy when none comes free within the limit
        """
        interpreter = self._take(wait_limit_s)
        try:
            yield interpreter
        except InferenceFailed:
            interpreter = self._interpreter(self._shape_wh())  # what state the failed one is in, nobody knows
            raise
        finally:
            self._free.put(interpreter)

    def run(self, interpreter: Any, tensor: Tensor) -> Tensor:
        """Run the model once.

        tensor: as tensor.to_input makes it
        returns: the map as the model gives it, a copy
        raises: InferenceFailed
        """
        try:
            detail = interpreter.get_input_details()[0]
            if tuple(detail["shape"]) != tensor.shape:
                interpreter.resize_tensor_input(detail["index"], tensor.shape)
                interpreter.allocate_tensors()
            interpreter.set_tensor(detail["index"], tensor)
            interpreter.invoke()
            output: Tensor = interpreter.get_tensor(interpreter.get_output_details()[self.output.index]["index"])
        except FAULTS as error:
            raise InferenceFailed("the model could not be run on this photo") from error
        return output

    def _take(self, wait_limit_s: float) -> Any:
        try:
            return self._free.get_nowait()
        except queue.Empty:
            pass
        with self._lock:
            make = self._unmade > 0
            self._unmade -= make
        if make:
            return self._interpreter(self._shape_wh())
        try:
            return self._free.get(timeout=wait_limit_s)
        except queue.Empty:
            raise Busy("too many photos at once; try again in a moment") from None

    def _first(self) -> Any:
        """Load the model, learn what its tensors are, and note what is out of the ordinary."""
        self.input = tensor_specs.read_input(self._made(self._open).get_input_details())
        if self._wanted.input_size:
            self.input = self.input.sized(self._wanted.input_size)
        if self.input.size_wh:
            return self._learn(self.input.size_wh)
        for width, height, step in TRIALS:
            self._step = step
            size_wh = self.input.sized((width, height)).size_wh or (width, height)
            try:
                return self._learn(size_wh)
            except ModelRejected as error:
                rejected = error
        raise ModelRejected(f"{rejected}; the model takes any size, and an input_size in its card may help")

    def _learn(self, size_wh: tuple[int, int]) -> Any:
        """Make an interpreter for an input size, and read what its outputs are then."""
        interpreter = self._interpreter(size_wh)
        details = interpreter.get_output_details()
        if any(
            0 in detail["shape"] or -1 in detail.get("shape_signature", ()) or not len(detail["shape"])
            for detail in details
        ):  # only a run tells what shape they have
            self._try(interpreter, size_wh)
            details = interpreter.get_output_details()
        found = tensor_specs.read_outputs(details, size_wh, self._wanted.output_size)
        self.output = self._chosen(found, details)
        return interpreter

    def _try(self, interpreter: Any, size_wh: tuple[int, int]) -> None:
        try:
            detail = interpreter.get_input_details()[0]
            interpreter.set_tensor(detail["index"], np.zeros(self.input.sized(size_wh).shape, self.input.dtype))
            interpreter.invoke()
        except FAULTS as error:
            raise ModelRejected(f"{RUNTIME} cannot run {self._model.name}: {_line(error)}") from error

    def _chosen(self, found: list[OutputSpec], details: list[dict[str, Any]]) -> OutputSpec:
        """Pick the map: the card's; else the one with the card's classes, the largest, that with scores, the first."""
        wanted = self._wanted.output
        if wanted is not None:
            for output in found:
                if wanted in (output.index, output.name):
                    return output
            names = ", ".join(str(detail["name"]) for detail in details)
            raise ModelRejected(f"the card wants the output {wanted!r}; the model's maps are not that: {names}")
        best = max(
            found,
            key=lambda output: (
                output.classes == self._wanted.classes,
                output.size_wh[0] * output.size_wh[1],
                output.dtype.kind == "f" or output.scale > 0,
                -output.index,
            ),
        )
        if len(details) > 1:
            note = f"of {len(details)} outputs, number {best.index} ({best.name}) was taken for the map, by its shape"
            self.notes.append(note)
        return best

    def _shape_wh(self) -> tuple[int, int]:
        return self.input.size_wh or self.size_for(TRIALS[-1][:2])

    def _interpreter(self, size_wh: tuple[int, int]) -> Any:
        """Make an interpreter that is ready for an input size."""
        shape = self.input.sized(size_wh).shape

        def ready(plain: bool) -> Any:
            interpreter = self._open(plain)
            detail = interpreter.get_input_details()[0]
            if tuple(detail["shape"]) != shape:
                interpreter.resize_tensor_input(detail["index"], shape)
            interpreter.allocate_tensors()
            return interpreter

        return self._made(ready)

    def _made(self, make: Any) -> Any:
        """Make an interpreter with the XNNPACK delegate, and without it where that fails.

        raises: ModelRejected
        """
        try:
            return make(self._plain)
        except FAULTS as error:
            first = error
        if not self._plain:
            try:
                interpreter = make(True)
            except FAULTS:
                pass  # the first reason is the better one
            else:
                self._plain = True
                self.notes.append(PLAIN_NOTE)
                return interpreter
        raise ModelRejected(self._why(first)) from first

    def _open(self, plain: bool) -> Any:
        resolver = tflite.OpResolverType
        kind = resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else resolver.AUTO
        return tflite.Interpreter(str(self._model), num_threads=1, experimental_op_resolver_type=kind)

    def _why(self, error: Exception) -> str:
        """Say in one line why the runtime does not take the model."""
        name = self._model.name
        if not self._custom_ops:
            return f"{RUNTIME} cannot load {name}: {_line(error)}"
        ops = ", ".join(self._custom_ops)
        if RUNTIME == "tflite_runtime" and set(self._custom_ops) <= set(LITERT_OPS):
            return f"{name} needs the op {ops}, which {RUNTIME} has not: Python 3.12 or later, with LiteRT, serves it"
        return f"{name} needs the op {ops}, which is none of TFLite's own: {RUNTIME} cannot load it"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
