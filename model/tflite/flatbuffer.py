"""Read a .tflite's tables, and check them before any interpreter sees them.

A .tflite is a flatbuffer: tables that point at one another by offsets. tflite-runtime follows them unchecked and
dies of a bad one; LiteRT checks some. What is checked here is what both rely on: every offset that can be reached
from the root stays inside the file, and every index names an operator, tensor or buffer that is there
(https://flatbuffers.dev/internals/).
"""

from __future__ import annotations

import math
import mmap
import struct
from pathlib import Path
from typing import Any

from model.errors import ModelRejected
from model.tflite import schema

MAGIC = b"TFL3"
VERSION = 3
TABLES_LIMIT = 1_000_000  # as flatbuffers' own verifier has it
TENSOR_BYTES_LIMIT = 2**31
ARCHIVE, ARCHIVE_END, ALIGNMENT = b"PK\3\4", b"PK\5\6", 64
# operators that may lack an input: convolutions and matrix products a bias, networks with a memory more, custom ones
SIMPLE = frozenset({3, 4, 9, 67, 132, 141})
OPTIONAL = SIMPLE | {16, 24, 27, 32, 35, 44, 46, 52}
ZERO_POINTS = {3: (0, 255), 7: (-(2**15), 2**15 - 1), 9: (-128, 127)}  # by tensor type: uint8, int16, int8
TYPES = 20  # tensor types of the schema, some more than both runtimes know

Table = dict[str, Any]
Entry = tuple[int, str, str, str]  # where in its table, the field's name, and its kind in two parts


class Broken(Exception):
    """A table or an index points where nothing is."""


def read(file: Path) -> Table:
    """Read all tables of a model, and refuse one that would lead an interpreter astray.

    returns: the table Model as schema.TABLES names its fields; those left out are missing
    raises: ModelRejected
    """
    with file.open("rb") as stream:
        if stream.read(8)[4:] != MAGIC:
            raise ModelRejected(f"{file.name} is no TFLite model: it does not begin as one")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                reader = _Reader(data)
                model = reader.root()
                _check(model, len(data))
                _check_rest(data, reader.last)
            except (Broken, struct.error) as error:
                raise ModelRejected(f"{file.name} is truncated or damaged: {error}") from error
    return model


def _parted(kind: str) -> tuple[str, str]:
    """Part a kind of schema.py into what it is, and of what."""
    if len(kind) == 1:
        return "number", f"<{kind}"
    if len(kind) == 2:
        return "vector", kind[1]
    what, _, name = kind.partition(" ")
    return what, name


class _Reader:
    """Follows the offsets of one file; every method raises Broken or struct.error where one leads outside."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self._end = data, len(data)
        self._entries: dict[tuple[int, str], tuple[int, list[Entry]]] = {}
        self._count = self._numbers_read = 0
        self.last = 0  # byte that something refers to

    def root(self) -> Table:
        return self._table(self._uint(0), "Model")

    def _table(self, at: int, name: str) -> Table:
        self._count += 1
        if self._count > TABLES_LIMIT or at % 4 or at > self._end - 4:
            raise Broken("a table lies outside the file, or there are too many")
        vtable = at - struct.unpack_from("<i", self._data, at)[0]
        if (vtable, name) not in self._entries:
            self._entries[vtable, name] = self._vtable(vtable, name)
        size, entries = self._entries[vtable, name]
        if at + size > self._end:
            raise Broken("a table runs over the end of the file")
        table: Table = {}
        for offset, field, what, name in entries:
            union = table.get(f"{field}_type", 0) if what == "union" else 0
            table[field] = self._field(at + offset, what, name, union)
        return table

    def _vtable(self, at: int, name: str) -> tuple[int, list[Entry]]:
        """Read where a table's fields are; tables of one kind share this."""
        if at < 0 or at % 2:
            raise Broken("a table's list of fields lies outside the file")
        length, size = struct.unpack_from("<HH", self._data, at)
        if length < 4 or length % 2 or size < 4:
            raise Broken("a table's list of fields is damaged")
        entries = []
        for slot, offset in enumerate(struct.unpack_from(f"<{length // 2 - 2}H", self._data, at + 4)):
            field, kind = schema.TABLES[name].get(slot, ("", "B"))
            width = struct.calcsize(kind) if len(kind) == 1 else 4
            if offset and (offset < 4 or offset + width > size):
                raise Broken("a field lies outside its table")
            if offset and field:
                entries.append((offset, field, *_parted(kind)))
        return size, entries

    def _field(self, at: int, what: str, name: str, union: int) -> Any:
        if what == "number":
            return struct.unpack_from(name, self._data, at)[0]
        target = at + self._uint(at)
        match what:
            case "vector":
                return self._numbers(target, name)
            case "table":
                return self._table(target, name)
            case "tables":
                places = enumerate(self._numbers(target, "I"))
                return [self._table(target + 4 + 4 * i + offset, name) for i, offset in places]
            case "union":
                return self._table(target, schema.UNIONS[name].get(union, "Numbers")) if union else None
            case "text":
                return self._text(target)
        return self._bytes(target)

    def _numbers(self, at: int, letter: str) -> tuple[int, ...]:
        if at % 4:
            raise Broken("a vector is out of line")
        count = self._uint(at)
        self._numbers_read += count
        if self._numbers_read > self._end:  # before struct sees it; and tables may share a vector, a million times
            raise Broken("a vector runs over the end of the file")
        self.last = max(self.last, at + 4 + count * struct.calcsize(letter))
        return struct.unpack_from(f"<{count}{letter}", self._data, at + 4)

    def _bytes(self, at: int) -> tuple[int, int]:
        """Find where bytes begin, and count them."""
        size = self._uint(at)
        if at + 4 + size > self._end:
            raise Broken("it ends inside its weights")
        self.last = max(self.last, at + 4 + size)
        return at + 4, size

    def _text(self, at: int) -> str:
        start, size = self._bytes(at)
        if self._data[start + size : start + size + 1] != b"\0":
            raise Broken("a name has no end")
        try:
            return self._data[start : start + size].decode()
        except UnicodeDecodeError as error:
            raise Broken("a name is no text") from error

    def _uint(self, at: int) -> int:
        return int(struct.unpack_from("<I", self._data, at)[0])


def _check_rest(data: mmap.mmap, last: int) -> None:
    """Hold what follows the tables, an archive if anything, against being cut off."""
    if data.find(ARCHIVE, last, last + ALIGNMENT) >= 0 and data.rfind(ARCHIVE_END, last) < 0:
        raise Broken("it ends inside the archive after the model")


def _check(model: Table, end: int) -> None:
    """Hold every index against what it counts.

    end: bytes of the file
    raises: Broken
    """
    if model.get("version") != VERSION:
        raise Broken(f"its format has version {model.get('version')}; only {VERSION} is known")
    buffers, graphs = model.get("buffers", []), model.get("graphs", [])
    if not graphs:
        raise Broken("it has no graph")
    for buffer in buffers:
        if buffer.get("offset", 0) + buffer.get("size", 0) > end:
            raise Broken("it ends inside its weights")
    for name in model.get("metadata", []):
        _within([name.get("buffer", 0)], 0, len(buffers), "buffer")
    for graph in graphs:
        _check_graph(graph, model, len(buffers), end)
    for signature in model.get("signatures", []):
        _within([signature.get("graph", 0)], 0, len(graphs), "graph")
        count = len(graphs[signature.get("graph", 0)]["tensors"])
        pairs = signature.get("inputs", []) + signature.get("outputs", [])
        _within([pair.get("tensor", 0) for pair in pairs], 0, count, "tensor")


def builtin(model: Table, operator: Table) -> int:
    """Give the number of an operator; older files keep it in a field of one byte."""
    code = model["codes"][operator.get("code", 0)]
    return max(int(code.get("code", 0)), int(code.get("old_code", 0)))


def _check_inputs(operator: Table, model: Table, count: int) -> None:
    """Let an input be left out, as -1, where an operator can do without."""
    inputs = operator.get("inputs", ())
    _within(inputs, -1, count, "tensor")
    if -1 in inputs:
        code = builtin(model, operator)
        if code not in OPTIONAL or (-1 in inputs[:2] and code in SIMPLE):
            raise Broken("an operator lacks an input")


def _check_graph(graph: Table, model: Table, buffers: int, end: int) -> None:
    tensors = graph.setdefault("tensors", [])
    for tensor in tensors:
        _within([tensor.get("buffer", 0)], 0, buffers, "buffer")
        _within([tensor.get("type", 0)], 0, TYPES, "type")
        _check_shape(tensor.get("shape", ()))
        _check_quantization(tensor)
    for field in ("inputs", "outputs"):
        _within(graph.get(field, ()), 0, len(tensors), "tensor")
    for operator in graph.get("operators", []):
        _within([operator.get("code", 0)], 0, len(model.get("codes", [])), "operator")
        _check_inputs(operator, model, len(tensors))
        _within(operator.get("outputs", ()), 0, len(tensors), "tensor")
        _within(operator.get("intermediates", ()), -1, len(tensors), "tensor")
        if operator.get("large_offset", 0) + operator.get("large_size", 0) > end:
            raise Broken("it ends inside an operator's options")


def _check_shape(shape: tuple[int, ...]) -> None:
    elements = 1
    for side in shape:
        elements *= side
        if side < 0 or elements > TENSOR_BYTES_LIMIT:
            raise Broken(f"a tensor cannot have the shape {list(shape[:8])}")


def _check_quantization(tensor: Table) -> None:
    quantization, shape = tensor.get("quantization", {}), tensor.get("shape", ())
    scales, zero_points = quantization.get("scales", ()), quantization.get("zero_points", ())
    if len(zero_points) != len(scales) and zero_points:
        raise Broken(f"a tensor has {len(scales)} scales and {len(zero_points)} zero points")
    if not all(0 <= scale < math.inf for scale in scales):  # XNNPACK dies of others
        raise Broken("a tensor has a scale that is no number above 0")
    if scales == (0.0,) and tensor.get("type", 0) in ZERO_POINTS:
        raise Broken("a tensor has a scale of 0")
    low, high = ZERO_POINTS.get(tensor.get("type", 0), (-math.inf, math.inf))
    if not all(low <= point <= high for point in zero_points):
        raise Broken("a tensor has a zero point that it cannot hold")
    if len(scales) > 1:
        axis = quantization.get("axis", 0)
        _within([axis], 0, len(shape), "axis")
        if len(scales) != shape[axis]:
            raise Broken(f"a tensor has {len(scales)} scales for {shape[axis]} channels")


def _within(indices: list[int] | tuple[int, ...], low: int, count: int, what: str) -> None:
    if indices and not (low <= min(indices) and max(indices) < count):
        raise Broken(f"something refers to a {what} that is not there")
