"""Standard TFLite Metadata, which other tools write into a model.

It is a flatbuffer of its own, in the buffer of the model named TFLITE_METADATA; its label files are in the zip
archive at the end of the model (https://ai.google.dev/edge/litert/models/metadata). MediaPipe adds a table that names
the activation.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

from model.tflite import flatbuffer
from model.tflite.card import MEMBER_LIMIT_BYTES, read_member
from model.tflite.flatbuffer import InvalidFlatbuffer, Table

BUFFER_NAME = "TFLITE_METADATA"
NORMALIZATION = 1  # number of NormalizationOptions in the union ProcessUnitOptions
LABEL_FILE_TYPES = (2, 3)  # AssociatedFileType: TENSOR_AXIS_LABELS, TENSOR_VALUE_LABELS
SEGMENTER = "SEGMENTER_METADATA"
ACTIVATIONS = {0: "none", 1: "sigmoid", 2: "softmax"}  # MediaPipe's enum Activation


class InvalidMetadata(Exception):
    """The model has metadata, but it is damaged."""


def read(file: Path, model: Table, output_index: int) -> dict[str, Any] | None:
    """Read the metadata of a model.

    Args:
        file: The .tflite.
        model: Its tables, as verify.read_model returns them.
        output_index: Index of the output that holds the segmentation.

    Returns:
        Values of fields of ModelCard, by name, those that the metadata states; None if the model has no metadata.

    Raises:
        InvalidMetadata: If the metadata or its label file is damaged.
    """
    indices = [entry.get("buffer", 0) for entry in model.get("metadata", []) if entry.get("name") == BUFFER_NAME]
    if not indices:
        return None
    try:
        start, length = model["buffers"][indices[0]]["data"]
        with file.open("rb") as stream:
            stream.seek(start)
            data = stream.read(length)
        return _card_values(file, data, output_index)
    except (InvalidFlatbuffer, KeyError, IndexError) as error:
        raise InvalidMetadata(f"the model's metadata is damaged: {error}") from error
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError, ValueError) as error:
        raise InvalidMetadata(f"the model's label file cannot be read: {error}") from error


def _card_values(file: Path, data: bytes, output_index: int) -> dict[str, Any]:
    metadata = _root(data, "ModelMetadata")
    fields = {"name": "name", "description": "description", "version": "version", "licence": "license"}
    values: dict[str, Any] = {ours: metadata[theirs] for ours, theirs in fields.items() if metadata.get(theirs)}
    for subgraph in metadata.get("subgraph_metadata", [])[:1]:
        for tensor in subgraph.get("input_tensor_metadata", [])[:1]:
            values |= _normalization(tensor)
        for tensor in subgraph.get("output_tensor_metadata", [])[output_index : output_index + 1]:
            values |= _labels(file, tensor)
        for custom in subgraph.get("custom_metadata", []):
            if custom.get("name") == SEGMENTER:
                start, length = custom["data"]
                values["activation"] = _activation(data[start : start + length])
    return values


def _root(data: bytes, table: str) -> Table:
    if len(data) > MEMBER_LIMIT_BYTES:
        raise InvalidFlatbuffer(f"it has more than {MEMBER_LIMIT_BYTES} bytes")
    return flatbuffer.read_tables(data, table)[0]


def _normalization(tensor: Table) -> dict[str, Any]:
    """Return mean and std, each one number for all channels or three."""
    for unit in tensor.get("process_units", []):
        if unit.get("options_type") == NORMALIZATION:
            mean, std = unit["options"].get("mean", ()), unit["options"].get("std", ())
            if len(mean) in (1, 3) and len(std) in (1, 3) and 0 not in std:
                return {"mean": mean, "std": std}
    return {}


def _activation(data: bytes) -> str:
    """Return the activation that MediaPipe's metadata names."""
    number = _root(data, "ImageSegmenterOptions").get("activation", 0)
    if number not in ACTIVATIONS:
        raise InvalidFlatbuffer(f"there is no activation {number}")
    return ACTIVATIONS[number]


def _labels(file: Path, tensor: Table) -> dict[str, Any]:
    """Return the labels in the label file of an output, one a line.

    If there are several files, one without a locale is preferred.
    """
    files = [entry for entry in tensor.get("associated_files", []) if entry.get("type", 0) in LABEL_FILE_TYPES]
    for entry in sorted(files, key=lambda entry: str(entry.get("locale", ""))):
        text = read_member(file, entry.get("name", ""))
        if text:
            lines = [line.strip() for line in text.strip("\r\n").splitlines()]
            return {"labels": _unique(lines)}
    return {}


def _unique(labels: list[str]) -> tuple[str, ...]:
    """Name empty labels, and append the class number to those that occur again."""
    unique: dict[str, None] = {}
    for number, label in enumerate(labels):
        name = label or f"class {number}"
        unique[name if name not in unique else f"{name} {number}"] = None
    return tuple(unique)
