"""Read standard TFLite Metadata: what other people's models say of themselves. flatbuffers enters here.

The metadata is a flatbuffer of its own in a buffer of the model named TFLITE_METADATA; its label files are in
the zip archive at the model's end (https://ai.google.dev/edge/litert/models/metadata; metadata_schema.fbs).
MediaPipe adds a table that names the activation (image_segmenter_metadata_schema.fbs).
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from model.tflite.card import MEMBER_LIMIT_BYTES, read_member
from model.tflite.flatbuffer import Table

NAME = "TFLITE_METADATA"
IMAGE_PROPERTIES, NORMALIZATION = 2, 1  # numbers of the schema's unions
AXIS_LABELS, VALUE_LABELS = 2, 3  # types of an associated file
SEGMENTER, ACTIVATIONS = "SEGMENTER_METADATA", ("none", "sigmoid", "softmax")


class Unreadable(Exception):
    """The metadata is there, and damaged."""


def read(file: Path, model: Table, output: int) -> dict[str, Any] | None:
    """Read what the metadata says, under the names of the card's fields.

    model: as tables.read gives it
    output: which of the outputs is the map
    returns: None when there is no metadata
    raises: Unreadable
    """
    places = [entry.get("buffer", 0) for entry in model.get("metadata", []) if entry.get("name") == NAME]
    if not places:
        return None
    try:
        start, size = model["buffers"][places[0]]["data"]
        with file.open("rb") as stream:
            stream.seek(start)
            return _values(file, _root(stream.read(size)), output)
    except (struct.error, KeyError, IndexError, ValueError, TypeError) as error:
        raise Unreadable(f"the model's metadata is damaged: {error}") from error
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError) as error:
        raise Unreadable(f"the model's label file cannot be read: {error}") from error


def _values(file: Path, about: Any, output: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field, slot in (("name", 0), ("description", 1), ("version", 2), ("licence", 5)):
        text = _text(about, slot)
        if text:
            values[field] = text
    graph = next(iter(_tables(about, 3)), None)
    if graph is None:
        return values
    photo, result = _tables(graph, 2), _tables(graph, 3)
    for tensor in photo[:1]:
        values |= _normalization(tensor)
    for tensor in result[output : output + 1]:
        labels = _labels(file, tensor)
        if labels:
            values["labels"] = labels
    for custom in _tables(graph, 9):
        if _text(custom, 0) == SEGMENTER:
            activation = _number(_root(_bytes(custom, 1)), 0, "Int8Flags")
            values["activation"] = ACTIVATIONS[activation]
    return values


def _normalization(tensor: Any) -> dict[str, Any]:
    """Read mean and std, where one value stands for all channels."""
    for unit in _tables(tensor, 4):
        if _number(unit, 0, "Uint8Flags") == NORMALIZATION:
            options = _table(unit, 1)
            mean, std = _floats(options, 0), _floats(options, 1)
            if len(mean) in (1, 3) and len(std) in (1, 3) and 0 not in std:
                return {"mean": mean, "std": std}
    return {}


def _labels(file: Path, tensor: Any) -> tuple[str, ...]:
    """Read the label file of an output, one label a line; the one without a language where there are several."""
    files = [entry for entry in _tables(tensor, 6) if _number(entry, 2, "Int8Flags") in (AXIS_LABELS, VALUE_LABELS)]
    for entry in sorted(files, key=lambda entry: _text(entry, 3)):
        text = read_member(file, _text(entry, 0))
        if text:
            lines = [line.strip() for line in text.strip("\r\n").splitlines()]
            return _different(lines)
    return ()


def _different(labels: list[str]) -> tuple[str, ...]:
    """Number the labels that come twice, or are empty."""
    found: dict[str, None] = {}
    for number, label in enumerate(labels):
        name = label or f"class {number}"
        found[name if name not in found else f"{name} {number}"] = None
    return tuple(found)


def _root(data: bytes) -> Any:
    from flatbuffers.table import Table  # only models with metadata need it

    if len(data) > MEMBER_LIMIT_BYTES:
        raise ValueError("it is too large")
    return Table(data, struct.unpack_from("<I", data)[0])


def _at(table: Any, slot: int) -> int:
    """Find a field; 0 when it is left out."""
    offset = table.Offset(4 + 2 * slot)
    return int(offset and table.Pos + offset)


def _text(table: Any, slot: int) -> str:
    at = _at(table, slot)
    return str(table.String(at).decode()) if at else ""


def _number(table: Any, slot: int, flags: str) -> int:
    from flatbuffers import number_types

    at = _at(table, slot)
    return int(table.Get(getattr(number_types, flags), at)) if at else 0


def _table(table: Any, slot: int) -> Any:
    at = _at(table, slot)
    if not at:
        raise ValueError("a part of it is missing")
    return type(table)(table.Bytes, table.Indirect(at))


def _vector(table: Any, slot: int) -> tuple[int, int]:
    """Find where a vector begins, and count its elements."""
    at = _at(table, slot)
    if not at:
        return 0, 0
    at += struct.unpack_from("<I", table.Bytes, at)[0]
    count = struct.unpack_from("<I", table.Bytes, at)[0]
    if at + 4 + count > len(table.Bytes):
        raise ValueError("a vector of it runs over its end")
    return at + 4, count


def _tables(table: Any, slot: int) -> list[Any]:
    start, count = _vector(table, slot)
    return [type(table)(table.Bytes, table.Indirect(start + 4 * i)) for i in range(count)]


def _floats(table: Any, slot: int) -> tuple[float, ...]:
    start, count = _vector(table, slot)
    return struct.unpack_from(f"<{count}f", table.Bytes, start)


def _bytes(table: Any, slot: int) -> bytes:
    start, count = _vector(table, slot)
    return bytes(table.Bytes[start : start + count])
