from __future__ import annotations

from pathlib import Path
from typing import Any

from model.tflite import metadata, verify
from tests.support.paths import MODELS


def read(name: str) -> dict[str, Any] | None:
    file = MODELS / "served" / f"{name}.tflite"
    return metadata.read(file, verify.read_model(file), 0)


def metadata_bytes(name: str) -> tuple[Path, int, int]:
    """Return a model, and the start and length of its metadata."""
    file = MODELS / "served" / f"{name}.tflite"
    model = verify.read_model(file)
    index = next(entry["buffer"] for entry in model["metadata"] if entry["name"] == metadata.BUFFER_NAME)
    start, length = model["buffers"][index]["data"]
    return file, start, length


def test_names_normalization_and_labels_are_read() -> None:
    assert read("metadata") == {
        "name": "colours",
        "version": "v7",
        "mean": (127.5,),
        "std": (127.5,),
        "labels": ("nothing", "red", "green", "blue"),
    }


def test_the_activation_of_mediapipe_is_read() -> None:
    values = read("metadata-activation")
    assert values is not None
    assert values["activation"] == "sigmoid"


def test_a_model_without_metadata_reads_as_none() -> None:
    assert read("probability") is None


def test_metadata_with_one_byte_changed_is_read_or_reported_as_damaged(tmp_path: Path) -> None:
    original, start, length = metadata_bytes("metadata-activation")
    data = bytearray(original.read_bytes())
    model = verify.read_model(original)
    file = tmp_path / "damaged.tflite"
    messages = []
    for at in range(start, start + length):
        for value in (data[at] ^ 1, data[at] ^ 128, 255):
            changed = data[:]
            changed[at] = value
            file.write_bytes(changed)
            try:
                metadata.read(file, model, 0)
            except metadata.InvalidMetadata as error:
                messages.append(str(error))
    assert len(messages) > length
    assert not any("\n" in message for message in messages)
