"""A reader of flatbuffers that checks every offset (https://flatbuffers.dev/internals/).

A flatbuffer consists of tables that refer to one another by offsets. The tables to read are those of schema.py.
"""

from __future__ import annotations

import mmap
import struct
from typing import Any

from model.tflite import schema

TABLES_LIMIT = 1_000_000  # the default of flatbuffers' own verifier

Table = dict[str, Any]
Field = tuple[int, str, str, str]  # offset in its table, name, and the two parts of its type


class InvalidFlatbuffer(Exception):
    """An offset, an index or a value in the tables is invalid."""


def read_tables(data: bytes | mmap.mmap, root: str) -> tuple[Table, int]:
    """Read the root table of a flatbuffer, and all tables that it refers to.

    Args:
        data: The flatbuffer; other data may follow.
        root: Name of the root table in schema.TABLES.

    Returns:
        The table as a dict from field names to values, absent fields missing; and the end of the data that the
        tables refer to, in bytes.

    Raises:
        InvalidFlatbuffer: If an offset leads outside the data, or something that it leads to is malformed.
    """
    reader = _Reader(data)
    try:
        return reader.root(root), reader.end
    except struct.error as error:
        raise InvalidFlatbuffer(f"an offset leads outside the data ({error})") from error


def _split(type_name: str) -> tuple[str, str]:
    """Split a type of schema.py into its form and what it contains."""
    if len(type_name) == 1:
        return "number", f"<{type_name}"
    if len(type_name) == 2:
        return "vector", type_name[1]
    form, _, content = type_name.partition(" ")
    return form, content


class _Reader:
    """Follows the offsets of one flatbuffer.

    Every method raises InvalidFlatbuffer or struct.error if an offset leads outside the data.

    Attributes:
        end: End of the data referred to so far, in bytes.
    """

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self.end = 0
        self._data, self._size = data, len(data)
        self._vtables: dict[tuple[int, str], tuple[int, list[Field]]] = {}
        self._tables_read = self._elements_read = 0

    def root(self, name: str) -> Table:
        return self._table(self._uint32(0), name)

    def _table(self, at: int, name: str) -> Table:
        self._tables_read += 1
        if self._tables_read > TABLES_LIMIT or at % 4 or at > self._size - 4:
            raise InvalidFlatbuffer("a table lies outside the data, or there are too many tables")
        vtable = at - struct.unpack_from("<i", self._data, at)[0]
        if (vtable, name) not in self._vtables:
            self._vtables[vtable, name] = self._vtable(vtable, name)
        size, fields = self._vtables[vtable, name]
        if at + size > self._size:
            raise InvalidFlatbuffer("a table extends beyond the end")
        table: Table = {}
        for offset, field, form, content in fields:
            member = table.get(f"{field}_type", 0) if form == "union" else 0
            table[field] = self._value(at + offset, form, content, member)
        return table

    def _vtable(self, at: int, name: str) -> tuple[int, list[Field]]:
        """Read the size and the fields of a table's layout, which tables of the same type share."""
        if at < 0 or at % 2:
            raise InvalidFlatbuffer("a vtable lies outside the data")
        length, size = struct.unpack_from("<HH", self._data, at)
        if length < 4 or length % 2 or size < 4:
            raise InvalidFlatbuffer("a vtable is malformed")
        fields = []
        for slot, offset in enumerate(struct.unpack_from(f"<{length // 2 - 2}H", self._data, at + 4)):
            field, type_name = schema.TABLES[name].get(slot, ("", "B"))
            width = struct.calcsize(type_name) if len(type_name) == 1 else 4
            if offset and (offset < 4 or offset + width > size):
                raise InvalidFlatbuffer("a field lies outside its table")
            if offset and field:
                fields.append((offset, field, *_split(type_name)))
        return size, fields

    def _value(self, at: int, form: str, content: str, member: int) -> Any:
        """Read the value of a field.

        Args:
            at: Position of the field.
            form: number, vector, table, tables, union, text or bytes.
            content: The type of a number or an element, or the name of a table or union.
            member: For a union: number of the member that it holds, 0 for none.
        """
        if form == "number":
            return struct.unpack_from(content, self._data, at)[0]
        target = at + self._uint32(at)
        match form:
            case "vector":
                return self._vector(target, content)
            case "table":
                return self._table(target, content)
            case "tables":
                offsets = enumerate(self._vector(target, "I"))
                return [self._table(target + 4 + 4 * i + offset, content) for i, offset in offsets]
            case "union":
                return self._table(target, schema.UNIONS[content].get(member, "Numbers")) if member else None
            case "text":
                return self._text(target)
        return self._bytes(target)

    def _vector(self, at: int, letter: str) -> tuple[int, ...]:
        if at % 4:
            raise InvalidFlatbuffer("a vector is misaligned")
        count = self._uint32(at)
        self._elements_read += count
        if self._elements_read > self._size:  # before struct allocates it; and a million tables may share one vector
            raise InvalidFlatbuffer("a vector extends beyond the end")
        self.end = max(self.end, at + 4 + count * struct.calcsize(letter))
        return struct.unpack_from(f"<{count}{letter}", self._data, at + 4)

    def _bytes(self, at: int) -> tuple[int, int]:
        """Return the start and the length of a vector of bytes."""
        length = self._uint32(at)
        if at + 4 + length > self._size:
            raise InvalidFlatbuffer("a vector of bytes extends beyond the end")
        self.end = max(self.end, at + 4 + length)
        return at + 4, length

    def _text(self, at: int) -> str:
        start, length = self._bytes(at)
        if self._data[start + length : start + length + 1] != b"\0":
            raise InvalidFlatbuffer("a string lacks its terminating zero")
        try:
            return self._data[start : start + length].decode()
        except UnicodeDecodeError as error:
            raise InvalidFlatbuffer("a string is not UTF-8") from error

    def _uint32(self, at: int) -> int:
        return int(struct.unpack_from("<I", self._data, at)[0])
