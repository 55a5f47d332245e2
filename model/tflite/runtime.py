"""The TFLite runtime: the only module that imports it and creates its interpreters."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from model.errors import ModelRejected

try:
    from tflite_runtime import interpreter as tflite
except ModuleNotFoundError:  # Python 3.12 and later
    from ai_edge_litert import interpreter as tflite

RUNTIME = tflite.__name__.partition(".")[0]
ERRORS = (ValueError, RuntimeError, MemoryError)  # raised by the runtime for models it cannot load or run
LITERT_OPS = {"Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D"}  # of MediaPipe's models

Interpreter = Any  # the runtimes have no type hints


def create_interpreter(
    file: Path, input_shape: tuple[int, ...] | None = None, *, xnnpack: bool = True
) -> tuple[Interpreter, bool]:
    """Create a single-threaded interpreter, without the XNNPACK delegate if the model cannot be loaded with it.

    Args:
        file: A .tflite.
        input_shape: Shape of its input, to allocate the tensors for; None to leave them unallocated.
        xnnpack: Whether to try the XNNPACK delegate at all.

    Returns:
        The interpreter, and whether it uses XNNPACK.

    Raises:
        ModelRejected: If the runtime cannot load the model with or without XNNPACK.
    """
    try:
        return _create(file, input_shape, xnnpack), xnnpack
    except ERRORS as error:
        first_error = error  # names the cause better than that of the second attempt
    if xnnpack:
        with contextlib.suppress(*ERRORS):
            return _create(file, input_shape, False), False
    raise ModelRejected(_explain(file, first_error)) from first_error


def allocate(interpreter: Interpreter, input_shape: tuple[int, ...]) -> None:
    """Allocate an interpreter's tensors for a shape of its input.

    Raises:
        ValueError, RuntimeError, MemoryError: If the runtime cannot (see ERRORS).
    """
    detail = interpreter.get_input_details()[0]
    if tuple(detail["shape"]) != input_shape:
        interpreter.resize_tensor_input(detail["index"], input_shape)
    interpreter.allocate_tensors()


def one_line(error: BaseException | None) -> str:
    """Return the message of an error of the runtime as one line of at most 300 characters."""
    return " ".join(str(error).split())[:300]


def _create(file: Path, input_shape: tuple[int, ...] | None, xnnpack: bool) -> Interpreter:
    resolvers = tflite.OpResolverType
    resolver = resolvers.AUTO if xnnpack else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tflite.Interpreter(str(file), num_threads=1, experimental_op_resolver_type=resolver)
    if input_shape is not None:
        allocate(interpreter, input_shape)
    return interpreter


def _explain(file: Path, error: Exception) -> str:
    """Return one line on why the runtime cannot load a model, and what to do."""
    from model.tflite import verify  # models that load start without it

    ops = verify.custom_ops(verify.read_model(file))
    if not ops:
        return f"{RUNTIME} cannot load {file.name}: {one_line(error)}; convert the model again for this runtime"
    needs = f"{file.name} needs the op {', '.join(ops)}, which {RUNTIME} does not have"
    if RUNTIME == "tflite_runtime" and LITERT_OPS.issuperset(ops):
        return f"{needs}; use Python 3.12 or later, whose runtime (LiteRT) has it"
    return f"{needs}; convert the model with TFLite built-in ops only"
