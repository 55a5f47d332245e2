"""A TensorFlow model as a function of one photo, its tensors read as the function reads those of a .tflite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model.image import score_map
from model.tflite import probe, tensor_specs
from model.tflite.probe import TensorHints
from model.tflite.tensor_specs import InputSpec, OutputSpec
from model.training.cli import CommandError, one_line

Call = Callable[[Any], Mapping[str, Any]]
Shape = tuple[int | None, ...]

STRIDE_PX = 32  # sizes that encoder-decoder networks accept are multiples of this
BATCH_TOLERANCE = 0.01  # of the range of the output; training mode changes more, another batch size only rounding


@dataclass(frozen=True)
class Source:
    """A model as a file holds it.

    Attributes:
        name: Name for messages.
        call: From a tensor of the input to the outputs by name, in inference mode.
        shape: Shape of the input; None where the model leaves it open.
        dtype: Type of the input.
        owner: The object that keeps the model's variables alive.
        fallback: The same model called with training=False, where the file has a way to do that.
        notes: Remarks for the user, one sentence each.
    """

    name: str
    call: Call
    shape: Shape
    dtype: Any
    owner: Any
    fallback: Call | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FloatModel:
    """A model as a function of one photo.

    Attributes:
        function: A concrete function from a float32 tensor of the input's shape to the output, of the model's own
            dtype; floating-point outputs are float32.
        owner: The object that keeps the function's variables alive.
        input: Spec of the input, float32, of a fixed size.
        output: Spec of the output.
        takes_bytes: Whether the model's own input is of an integer type, so that it takes pixels of 0 to 255.
        notes: Remarks for the user, one sentence each.
    """

    function: Any
    owner: Any
    input: InputSpec
    output: OutputSpec
    takes_bytes: bool = False
    notes: tuple[str, ...] = ()

    @property
    def input_wh(self) -> tuple[int, int]:
        """Width and height of the input, in pixels."""
        return self.input.max_wh

    @property
    def classes(self) -> int:
        """Channels of the output; 1 for class ids."""
        return self.output.channels

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[Any]:
        """Run the model once.

        Args:
            tensor: float32, of the shape of `input`.

        Returns:
            (1, h', w', K): float32 scores, or class ids of an integer type or bool.
        """
        stored = np.asarray(self.function(tf.constant(tensor)))
        return score_map.to_hwk(stored, self.output, self.input_wh)[np.newaxis]


def trace(source: Source, size_wh: tuple[int, int] | None, hints: TensorHints) -> FloatModel:
    """Trace a model for one photo of a fixed size, which the runtimes execute best.

    Args:
        source: The model.
        size_wh: Width and height of the input, for a model of any input size.
        hints: What the user states about the outputs.

    Returns:
        The model.

    Raises:
        CommandError: If the model cannot run, or its result depends on the other photos of a batch.
        ModelRejected: If it is not a segmentation model.
    """
    spec = _input_spec(source)
    if spec.size_wh is None and size_wh is None:
        raise CommandError(f"{source.name} accepts any input size; set one with --size")
    sized = spec.with_size(size_wh or spec.max_wh)
    outputs, variables = _first_run(source, sized)
    details = [_detail(name, array.shape, array.dtype) for name, array in outputs.items()]
    candidates = tensor_specs.read_output_specs(details, sized.max_wh, hints.output_size)
    output = probe.choose_output(candidates, hints)
    if hints.output is None:
        _check_choice(source.name, output, candidates)
    notes = list(source.notes)
    if len(outputs) > 1 and hints.output is None:
        notes.append(f"{probe.choice_note(len(outputs), output)}; --output selects another")
    with _variables_restored(variables):  # a model in training mode changes them
        call, more_notes = _inference_call(source, sized, output.name)
    function = _function(call, source.dtype, output.name).get_concrete_function(_tensor_spec(sized))
    return FloatModel(function, source.owner, sized, output, source.dtype.is_integer, (*notes, *more_notes))


def _check_choice(name: str, output: OutputSpec, candidates: Sequence[OutputSpec]) -> None:
    """Reject a model with several outputs of one shape, such as those of deep supervision."""
    equal = [other for other in candidates if (other.size_wh, other.channels) == (output.size_wh, output.channels)]
    if len(equal) > 1:
        names = ", ".join(f"{other.index} ({other.name})" for other in equal)
        raise CommandError(f"{name} has {len(equal)} outputs of the same shape; choose one with --output: {names}")


@contextmanager
def _variables_restored(variables: Sequence[Any]) -> Iterator[None]:
    """Give variables their values back at the end."""
    values = [variable.numpy() for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _input_spec(source: Source) -> InputSpec:
    """Return the spec of a model's input as float32."""
    dtype = np.dtype(np.float32) if source.dtype.is_floating else np.dtype(source.dtype.as_numpy_dtype)
    signature = [-1 if length is None else length for length in source.shape]
    detail = {**_detail("input", [abs(length) for length in signature], dtype), "shape_signature": signature}
    return tensor_specs.read_input_spec([detail]).as_float()


def _detail(name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return a tensor's description in the form of the interpreters."""
    return {"name": name, "shape": shape, "dtype": dtype, "quantization": (0.0, 0)}


def _tensor_spec(spec: InputSpec, photos: int = 1) -> tf.TensorSpec:
    shape = [photos if axis == "N" else length for axis, length in zip(spec.axes, spec.shape, strict=True)]
    return tf.TensorSpec(shape, tf.float32, name="image")


def _function(call: Call, dtype: Any, output: str | None = None) -> Any:
    """Return a tf.function from float32 to one output, or to all by name; floating-point outputs are float32."""

    def run(image: Any) -> Any:
        values = call(_to_dtype(image, dtype))
        if output is not None:
            return _to_supported(values[output])
        return {name: _to_supported(value) for name, value in values.items()}

    return tf.function(run)


def _to_dtype(image: Any, dtype: Any) -> Any:
    if dtype == tf.float32:
        return image
    if dtype.is_integer:
        image = tf.clip_by_value(tf.round(image), max(dtype.min, -(2**31)), min(dtype.max, 2**31))
    return tf.cast(image, dtype)


def _to_supported(value: Any) -> Any:
    value = tf.convert_to_tensor(value)
    return tf.cast(value, tf.float32) if value.dtype.is_floating and value.dtype != tf.float32 else value


def _first_run(source: Source, spec: InputSpec) -> tuple[dict[str, NDArray[Any]], Sequence[Any]]:
    """Run a model on zeros, and return its outputs by name, and its variables."""
    width, height = spec.max_wh
    try:
        return _run(source, spec)
    except Exception as error:  # a custom layer may raise anything
        multiple = tuple(max(1, round(side / STRIDE_PX)) * STRIDE_PX for side in (width, height))
        reason = one_line(str(error))
        advice = ""
        if multiple != (width, height) and _input_spec(source).size_wh is None:
            advice = _size_advice(source, (multiple[0], multiple[1]))
        raise CommandError(f"{source.name} cannot run on a photo of {width} x {height}{advice}: {reason}") from error


def _run(source: Source, spec: InputSpec) -> tuple[dict[str, NDArray[Any]], Sequence[Any]]:
    function = _function(source.call, source.dtype).get_concrete_function(_tensor_spec(spec))
    with _variables_restored(function.variables):
        values = function(tf.zeros(_tensor_spec(spec).shape))
    return {name: np.asarray(value) for name, value in values.items()}, function.variables


def _size_advice(source: Source, multiple_wh: tuple[int, int]) -> str:
    """Return which size to set, if the model can run at a multiple of its stride."""
    try:
        _run(source, _input_spec(source).with_size(multiple_wh))
    except Exception:
        return ""
    size = multiple_wh[0] if multiple_wh[0] == multiple_wh[1] else f"{multiple_wh[0]}x{multiple_wh[1]}"
    return f", but on multiples of {STRIDE_PX}; set --size {size}"


def _inference_call(source: Source, spec: InputSpec, output: str) -> tuple[Call, tuple[str, ...]]:
    """Return the call whose result for a photo does not depend on the batch around it, and notes on it."""
    if source.shape[0] is not None or spec.axes[0] != "N" or not _depends_on_batch(source.call, source, spec, output):
        return source.call, ()
    note = "its signature runs it in training mode; it is called with training=False instead"
    if source.fallback is not None and not _depends_on_batch(source.fallback, source, spec, output):
        return source.fallback, (note,)
    raise CommandError(
        f"the result of {source.name} for a photo depends on the other photos of its batch, so it was saved in"
        " training mode; save it with model(image, training=False), as in docs/training.md, 'Export a SavedModel'"
    )


def _depends_on_batch(call: Call, source: Source, spec: InputSpec, output: str) -> bool:
    """Return whether the result for a photo alone differs from its result in a batch of three."""
    rng = np.random.default_rng(0)
    batch = rng.random(_tensor_spec(spec, 3).shape, np.float32) * np.array([1, 255, 64], np.float32).reshape(
        3, *[1] * (len(spec.shape) - 1)
    )
    function = _function(call, source.dtype, output)
    try:
        alone, together = np.asarray(function(batch[:1])), np.asarray(function(batch))[:1]
    except Exception:  # the other call cannot run at all, or not on a batch
        return call is not source.call
    if alone.shape != together.shape:
        return False
    if alone.dtype.kind != "f":
        return bool(np.mean(alone != together) > BATCH_TOLERANCE)
    limit = BATCH_TOLERANCE * max(float(np.ptp(alone)), 1e-6)
    return bool(np.abs(alone - together).max() > limit)
