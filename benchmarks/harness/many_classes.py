"""A model with any number of classes: one 1 x 1 convolution, written as a .tflite file without TensorFlow.

A .tflite file is a FlatBuffer (https://flatbuffers.dev/internals): tables of numbered fields, each of which is a number
or an offset. The field numbers are those of TFLite's schema.fbs.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from model.tflite.card import ModelCard, embed

SIDE_PX = 256
CONV_2D, CONV_2D_OPTIONS, SCHEMA_VERSION = 3, 1, 3
DATA_ALIGNMENT = 16

Table = dict[int, Any]  # field number -> int, bytes, str, list of int, list of Table, Table


def write(file: Path, classes: int) -> Path:
    """Write a model that classifies pixels by colour, with its card embedded.

    Args:
        file: Path of the model.
        classes: Number of classes.

    Returns:
        The path.
    """
    random = np.random.default_rng(classes)
    weights = random.normal(size=(classes, 1, 1, 3)).astype("<f4")
    biases = random.normal(scale=0.1, size=classes).astype("<f4")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(flatbuffer(network(weights.tobytes(), biases.tobytes(), classes)))
    embed(
        file,
        ModelCard(
            name=f"colours-{classes}",
            labels=tuple(f"class {number}" for number in range(classes)),
            palette=tuple((number, 255 - number, number * 7 % 256) for number in range(classes)),
            mean=(127.0,) * 3,
            std=(128.0,) * 3,
            activation="softmax",
        ),
    )
    return file


def network(weights: bytes, biases: bytes, classes: int) -> Table:
    """Return the model table: tensors 0 input, 1 weights, 2 biases, 3 output; one operator."""
    tensors = [
        {0: [1, SIDE_PX, SIDE_PX, 3], 2: 0, 3: "photo"},
        {0: [classes, 1, 1, 3], 2: 1, 3: "weights"},
        {0: [classes], 2: 2, 3: "biases"},
        {0: [1, SIDE_PX, SIDE_PX, classes], 2: 0, 3: "scores"},
    ]
    convolution = {0: 0, 1: [0, 1, 2], 2: [3], 3: CONV_2D_OPTIONS, 4: {0: 0, 1: 1, 2: 1}}
    graph = {0: tensors, 1: [0], 2: [3], 3: [convolution]}
    code = {0: CONV_2D, 2: 1, 3: CONV_2D}
    return {0: SCHEMA_VERSION, 1: [code], 2: [graph], 4: [{}, {0: weights}, {0: biases}]}


def flatbuffer(root: Table) -> bytes:
    """Serialise a root table and everything it refers to, with TFLite's file identifier."""
    out = bytearray(b"\0\0\0\0TFL3")
    _set_offset(out, 0, _append_table(out, root))
    return bytes(out)


def _append_table(out: bytearray, table: Table) -> int:
    """Append a table, four bytes per field, then the values its fields refer to; return its position."""
    fields = sorted(table)
    count = max(fields, default=-1) + 1
    _pad(out, 4)
    vtable = len(out)
    slots = [4 + 4 * fields.index(number) if number in table else 0 for number in range(count)]
    out += struct.pack(f"<{2 + count}H", 4 + 2 * count, 4 + 4 * len(fields), *slots)
    _pad(out, 4)
    begin = len(out)
    out += struct.pack("<i", begin - vtable) + bytes(4 * len(fields))
    for number in fields:
        slot = begin + slots[number]
        if isinstance(table[number], int):
            struct.pack_into("<i", out, slot, table[number])
        else:
            _set_offset(out, slot, _append(out, table[number]))
    return begin


def _append(out: bytearray, value: Any) -> int:
    """Append a value that a field refers to; return its position."""
    if isinstance(value, dict):
        return _append_table(out, value)
    _pad(out, DATA_ALIGNMENT, 4)
    begin = len(out)
    out += struct.pack("<I", len(value))
    if isinstance(value, bytes | str):
        out += value if isinstance(value, bytes) else value.encode() + b"\0"
    elif isinstance(value[0], int):
        out += struct.pack(f"<{len(value)}i", *value)
    else:
        out += bytes(4 * len(value))
        for number, table in enumerate(value):
            _set_offset(out, begin + 4 + 4 * number, _append_table(out, table))
    return begin


def _set_offset(out: bytearray, slot: int, target: int) -> None:
    struct.pack_into("<I", out, slot, target - slot)


def _pad(out: bytearray, alignment: int, before: int = 0) -> None:
    """Append zeros until what follows `before` more bytes is aligned."""
    out += bytes(-(len(out) + before) % alignment)
