"""Load a model once to learn its input, its output, and whether the runtime can execute it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model.errors import ModelRejected
from model.tflite import runtime, tensor_specs
from model.tflite.runtime import Interpreter
from model.tflite.tensor_specs import InputSpec, OutputSpec

# Input sizes to try on a model of any input size, each with the stride to use if it works: if the first works, any
# size does; if only the second works, sizes must be multiples of 32.
OPEN_SIZES = (((100, 66), 1), ((160, 96), 32))
NO_XNNPACK_NOTE = "runs without the XNNPACK delegate, which cannot load this model: slower, with the same results"


class TensorHints(NamedTuple):
    """What the embedded model card states about the tensors.

    Attributes:
        input_size: Width and height, for a model of any input size.
        output: Name or index of the output that holds the segmentation.
        output_size: Width and height of a flattened output.
        class_count: Number of classes.
    """

    input_size: tuple[int, int] | None = None
    output: str | int | None = None
    output_size: tuple[int, int] | None = None
    class_count: int | None = None


NO_HINTS = TensorHints()


class ProbedModel(NamedTuple):
    """A model that the runtime can execute.

    Attributes:
        file: The .tflite.
        input: Spec of its input.
        output: Spec of the output that holds the segmentation.
        interpreter: The first interpreter, its tensors allocated; for reuse by the pool.
        input_shape: Shape of the input that the interpreter is allocated for.
        xnnpack: Whether it runs with the XNNPACK delegate.
        notes: Remarks for the operator, one sentence each.
    """

    file: Path
    input: InputSpec
    output: OutputSpec
    interpreter: Interpreter
    input_shape: tuple[int, ...]
    xnnpack: bool
    notes: tuple[str, ...]


def probe(file: Path, hints: TensorHints = NO_HINTS) -> ProbedModel:
    """Load a model, and identify its input and its output.

    A model of any input size is tried at those of OPEN_SIZES.

    Args:
        file: A .tflite that verify.read_model accepts.
        hints: What its card states.

    Raises:
        ModelRejected: If the runtime cannot execute the model, or it is not a segmentation model.
    """
    interpreter, xnnpack = runtime.create_interpreter(file)
    spec = tensor_specs.read_input_spec(interpreter.get_input_details())
    if hints.input_size:
        spec = spec.with_size(hints.input_size)
    if spec.size_wh:
        return _probe_at(spec.size_wh, file, spec, hints, interpreter, xnnpack)
    for size_wh, stride in OPEN_SIZES:
        try:
            return _probe_at(size_wh, file, replace(spec, stride=stride), hints, None, xnnpack)
        except ModelRejected as error:
            rejection = error
    raise ModelRejected(f"{rejection}; the model has no fixed input size, so set `input_size` in its card")


def _probe_at(
    size_wh: tuple[int, int],
    file: Path,
    spec: InputSpec,
    hints: TensorHints,
    interpreter: Interpreter | None,
    xnnpack: bool,
) -> ProbedModel:
    """Allocate the tensors for an input size, and identify the output.

    Args:
        size_wh: Width and height of the input.
        file: The .tflite.
        spec: Spec of the input.
        hints: What the card states.
        interpreter: An interpreter without allocated tensors; None to create one.
        xnnpack: Whether it uses XNNPACK, or a new one is to try it.
    """
    sized = spec.with_size(size_wh)
    interpreter, xnnpack = _allocated(file, sized.shape, interpreter, xnnpack)
    details = interpreter.get_output_details()
    if not all(_has_known_shape(detail) for detail in details):
        _run_once(interpreter, sized, file)
        details = interpreter.get_output_details()
    candidates = tensor_specs.read_output_specs(details, sized.size_wh or size_wh, hints.output_size)
    output = choose_output(candidates, hints)
    notes = [] if xnnpack else [NO_XNNPACK_NOTE]
    if len(details) > 1 and hints.output is None:
        notes.append(choice_note(len(details), output))
    return ProbedModel(file, spec, output, interpreter, sized.shape, xnnpack, tuple(notes))


def _allocated(
    file: Path, shape: tuple[int, ...], interpreter: Interpreter | None, xnnpack: bool
) -> tuple[Interpreter, bool]:
    """Allocate an interpreter's tensors, or those of a new one if that fails."""
    if interpreter is not None:
        try:
            runtime.allocate(interpreter, shape)
            return interpreter, xnnpack
        except runtime.ERRORS:
            pass  # a new one is created, without XNNPACK if need be
    return runtime.create_interpreter(file, shape, xnnpack=xnnpack)


def _has_known_shape(detail: dict[str, Any]) -> bool:
    """Return whether an output's shape is known before the model has run."""
    shape = detail["shape"]
    return len(shape) > 0 and 0 not in shape and -1 not in detail.get("shape_signature", ())


def _run_once(interpreter: Interpreter, spec: InputSpec, file: Path) -> None:
    """Run the model on zeros, which sets the shapes of its outputs."""
    try:
        index = interpreter.get_input_details()[0]["index"]
        interpreter.set_tensor(index, np.zeros(spec.shape, spec.dtype))
        interpreter.invoke()
    except runtime.ERRORS as error:
        raise ModelRejected(f"{runtime.RUNTIME} cannot run {file.name}: {runtime.one_line(error)}") from error


def choice_note(count: int, output: OutputSpec) -> str:
    """Return a note on the output that was chosen from several by its shape."""
    return f"of {count} outputs, number {output.index} ({output.name}) is used, chosen by its shape"


def choose_output(candidates: list[OutputSpec], hints: TensorHints) -> OutputSpec:
    """Choose the output that holds the segmentation.

    Args:
        candidates: The outputs that can be one, at least one.
        hints: What the card states.

    Returns:
        The output that the card selects. If it selects none: the one with as many channels as the card has classes,
        else the largest, else one of scores rather than class ids, else one of several classes, else the first.

    Raises:
        ModelRejected: If the card selects an output that is not among the candidates.
    """
    if hints.output is None:
        return max(
            candidates,
            key=lambda output: (
                output.channels == hints.class_count,
                output.size_wh[0] * output.size_wh[1],
                output.dtype.kind == "f" or output.scale > 0,
                output.channels > 1,
                -output.index,
            ),
        )
    for output in candidates:
        if hints.output in (output.index, output.name):
            return output
    names = ", ".join(f"{output.index} ({output.name})" for output in candidates)
    raise ModelRejected(f"output {hints.output!r} is not a segmentation output of the model; choose from {names}")
