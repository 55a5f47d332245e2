from __future__ import annotations

import struct

import pytest

from model.tflite.flatbuffer import InvalidFlatbuffer, read_tables
from tests.support.paths import MODELS

# An AssociatedFile: root offset, vtable (length, table size, slots 0 to 2), table (vtable offset, name, type), name.
VTABLE = struct.pack("<5H2x", 10, 12, 4, 0, 8)
TABLE = struct.pack("<iIbxxx", 12, 8, 3)
NAME = struct.pack("<I4sxxxx", 4, b"a.tx")
DATA = struct.pack("<I", 16) + VTABLE + TABLE + NAME


def test_present_fields_are_read_and_absent_ones_are_missing() -> None:
    assert read_tables(DATA, "AssociatedFile") == ({"name": "a.tx", "type": 3}, 36)


@pytest.mark.parametrize("length", range(len(DATA) - 3))
def test_truncated_data_is_rejected(length: int) -> None:
    with pytest.raises(InvalidFlatbuffer):
        read_tables(DATA[:length], "AssociatedFile")


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, 0xFFFFFFFF, "a table lies outside the data"),
        (16, 100, "a vtable lies outside the data"),
        (4, 0, "a vtable is malformed"),
        (20, 0x7FFFFFFF, "an offset leads outside the data"),
        (28, 100, "a vector of bytes extends beyond the end"),
        (28, 3, "a string lacks its terminating zero"),
        (32, 0xFFFFFFFF, "a string is not UTF-8"),
    ],
)
def test_a_damaged_table_is_rejected(at: int, value: int, message: str) -> None:
    damaged = bytearray(DATA)
    damaged[at : at + 4] = struct.pack("<I", value)
    with pytest.raises(InvalidFlatbuffer, match=message):
        read_tables(bytes(damaged), "AssociatedFile")


@pytest.mark.parametrize("name", ["classes", "dynamic", "metadata"])
def test_the_end_of_the_tables_lies_inside_the_file(name: str) -> None:
    data = (MODELS / "served" / f"{name}.tflite").read_bytes()
    model, end = read_tables(data, "Model")
    assert model["version"] == 3
    assert 0 < end <= len(data)
