"""Read the tables of a .tflite and verify them before an interpreter reads the file.

tflite-runtime follows offsets and indices unchecked and crashes the process on a bad one; LiteRT checks some of them.
Verified is what both rely on: every offset reachable from the root stays inside the file, and every index refers to
an existing operator, tensor or buffer.
"""

from __future__ import annotations

import math
import mmap
from pathlib import Path

from model.errors import ModelRejected
from model.tflite import flatbuffer
from model.tflite.flatbuffer import InvalidFlatbuffer, Table
from model.tflite.schema import BuiltinOp

MAGIC = b"TFL3"
VERSION = 3
TENSOR_BYTES_LIMIT = 2**31
ZIP_START, ZIP_END, ALIGNMENT = b"PK\3\4", b"PK\5\6", 64
# Operators with optional inputs. Those in OPTIONAL_BIAS may lack only the third input, the bias.
OPTIONAL_BIAS = frozenset(
    {
        BuiltinOp.CONV_2D,
        BuiltinOp.DEPTHWISE_CONV_2D,
        BuiltinOp.FULLY_CONNECTED,
        BuiltinOp.TRANSPOSE_CONV,
        BuiltinOp.CONV_3D,
        BuiltinOp.CONV_3D_TRANSPOSE,
    }
)
OPTIONAL_INPUTS = OPTIONAL_BIAS | {
    BuiltinOp.LSTM,
    BuiltinOp.RNN,
    BuiltinOp.SVDF,
    BuiltinOp.CUSTOM,
    BuiltinOp.UNIDIRECTIONAL_SEQUENCE_RNN,
    BuiltinOp.UNIDIRECTIONAL_SEQUENCE_LSTM,
    BuiltinOp.BIDIRECTIONAL_SEQUENCE_RNN,
    BuiltinOp.BIDIRECTIONAL_SEQUENCE_LSTM,
}
ZERO_POINTS = {3: (0, 255), 7: (-(2**15), 2**15 - 1), 9: (-128, 127)}  # by TensorType: uint8, int16, int8
TENSOR_TYPES = 20  # upper limit of TensorType; the runtimes know fewer


def read_model(file: Path) -> Table:
    """Read all tables of a model, and reject one that could crash an interpreter.

    Args:
        file: A .tflite.

    Returns:
        The table Model, its fields named as in schema.TABLES; absent fields are missing.

    Raises:
        ModelRejected: If the file is not a .tflite, is truncated or damaged.
    """
    with file.open("rb") as stream:
        if stream.read(8)[4:] != MAGIC:
            raise ModelRejected(f"{file.name} is not a TFLite model: it lacks the identifier TFL3; use a .tflite file")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                model, end = flatbuffer.read_tables(data, "Model")
                _verify_model(model, len(data))
                _verify_archive(data, end)
            except InvalidFlatbuffer as error:
                raise ModelRejected(
                    f"{file.name} is truncated or damaged: {error}; copy or convert it again"
                ) from error
    return model


def builtin_op(model: Table, operator: Table) -> int:
    """Return the BuiltinOp number of an operator; files of older converters hold it in a field of one byte."""
    code = model["operator_codes"][operator.get("opcode_index", 0)]
    return max(int(code.get("builtin_code", 0)), int(code.get("deprecated_builtin_code", 0)))


def custom_ops(model: Table) -> tuple[str, ...]:
    """Return the names of the custom operators of a model: those that are not TFLite built-ins."""
    codes = model.get("operator_codes", [])
    return tuple(dict.fromkeys(code["custom_code"] for code in codes if code.get("custom_code")))


def _verify_archive(data: mmap.mmap, start: int) -> None:
    """Check that a zip archive after the tables, if there is one, is not truncated."""
    if data.find(ZIP_START, start, start + ALIGNMENT) >= 0 and data.rfind(ZIP_END, start) < 0:
        raise InvalidFlatbuffer("the archive after the model is truncated")


def _verify_model(model: Table, file_bytes: int) -> None:
    """Check every index and every size in the tables of a model."""
    if model.get("version") != VERSION:
        raise InvalidFlatbuffer(f"the format version is {model.get('version')}, not {VERSION}")
    buffers, subgraphs = model.get("buffers", []), model.get("subgraphs", [])
    if not subgraphs:
        raise InvalidFlatbuffer("there is no subgraph")
    for buffer in buffers:
        if buffer.get("offset", 0) + buffer.get("size", 0) > file_bytes:
            raise InvalidFlatbuffer("a buffer extends beyond the end of the file")
    for entry in model.get("metadata", []):
        _check_indices([entry.get("buffer", 0)], 0, len(buffers), "buffer")
    for subgraph in subgraphs:
        _verify_subgraph(subgraph, model, len(buffers), file_bytes)
    for signature in model.get("signature_defs", []):
        _check_indices([signature.get("subgraph_index", 0)], 0, len(subgraphs), "subgraph")
        tensors = subgraphs[signature.get("subgraph_index", 0)]["tensors"]
        pairs = signature.get("inputs", []) + signature.get("outputs", [])
        _check_indices([pair.get("tensor_index", 0) for pair in pairs], 0, len(tensors), "tensor")


def _verify_subgraph(subgraph: Table, model: Table, buffers: int, file_bytes: int) -> None:
    tensors = subgraph.setdefault("tensors", [])
    for tensor in tensors:
        _check_indices([tensor.get("buffer", 0)], 0, buffers, "buffer")
        _check_indices([tensor.get("type", 0)], 0, TENSOR_TYPES, "type")
        _verify_shape(tensor.get("shape", ()))
        _verify_quantization(tensor)
    for field in ("inputs", "outputs"):
        _check_indices(subgraph.get(field, ()), 0, len(tensors), "tensor")
    for operator in subgraph.get("operators", []):
        _check_indices([operator.get("opcode_index", 0)], 0, len(model.get("operator_codes", [])), "operator")
        _verify_inputs(operator, model, len(tensors))
        _check_indices(operator.get("outputs", ()), 0, len(tensors), "tensor")
        _check_indices(operator.get("intermediates", ()), -1, len(tensors), "tensor")
        if operator.get("large_custom_options_offset", 0) + operator.get("large_custom_options_size", 0) > file_bytes:
            raise InvalidFlatbuffer("an operator's options extend beyond the end of the file")


def _verify_inputs(operator: Table, model: Table, tensors: int) -> None:
    """Check an operator's inputs; -1, an absent one, is allowed for operators with optional inputs."""
    inputs = operator.get("inputs", ())
    _check_indices(inputs, -1, tensors, "tensor")
    if -1 in inputs:
        op = builtin_op(model, operator)
        if op not in OPTIONAL_INPUTS or (-1 in inputs[:2] and op in OPTIONAL_BIAS):
            raise InvalidFlatbuffer("an operator lacks an input")


def _verify_shape(shape: tuple[int, ...]) -> None:
    elements = 1
    for length in shape:
        elements *= length
        if length < 0 or elements > TENSOR_BYTES_LIMIT:
            raise InvalidFlatbuffer(f"a tensor has the impossible shape {list(shape[:8])}")


def _verify_quantization(tensor: Table) -> None:
    quantization, shape = tensor.get("quantization", {}), tensor.get("shape", ())
    scales, zero_points = quantization.get("scale", ()), quantization.get("zero_point", ())
    if len(zero_points) != len(scales) and zero_points:
        raise InvalidFlatbuffer(f"a tensor has {len(scales)} scales but {len(zero_points)} zero points")
    if not all(0 <= scale < math.inf for scale in scales):  # others crash XNNPACK
        raise InvalidFlatbuffer("a tensor has a scale that is negative or not finite")
    if scales == (0.0,) and tensor.get("type", 0) in ZERO_POINTS:
        raise InvalidFlatbuffer("a quantized tensor has the scale 0")
    low, high = ZERO_POINTS.get(tensor.get("type", 0), (-math.inf, math.inf))
    if not all(low <= point <= high for point in zero_points):
        raise InvalidFlatbuffer("a tensor has a zero point outside the range of its type")
    if len(scales) > 1:
        axis = quantization.get("quantized_dimension", 0)
        _check_indices([axis], 0, len(shape), "axis")
        if len(scales) != shape[axis]:
            raise InvalidFlatbuffer(f"a tensor has {len(scales)} scales for {shape[axis]} channels")


def _check_indices(indices: list[int] | tuple[int, ...], low: int, count: int, target: str) -> None:
    if indices and not (low <= min(indices) and max(indices) < count):
        raise InvalidFlatbuffer(f"an index refers to a {target} that does not exist")
