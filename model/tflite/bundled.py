"""The bundled model: one network in two files, each for the runtime that runs it fastest."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

FILES = {
    # int8 is the smaller file, and takes LiteRT half the time of float16, but tflite-runtime ten times as long.
    runtime: Path(__file__).parents[1] / "weights" / f"pets-{recipe}.tflite"
    for runtime, recipe in (("tflite_runtime", "float16"), ("ai_edge_litert", "int8"))
}
# SHA-256 of the files, which the tests run in every runtime: a file that has one needs no checks at start. After
# replacing the files, run `sha256sum model/weights/*.tflite`; a test compares.
CHECKSUMS = frozenset(
    {
        "83def02d5ea13a867e208cbc07f87c3181dbcc7e352df6cfb668b1e99ec60198",  # float16
        "1706ca665a7166c5973896e930bdbeac1d7c893f86e60a229d8b81cd0e2ff42c",  # int8
    }
)
BUNDLED_MODEL = FILES["tflite_runtime" if find_spec("tflite_runtime") else "ai_edge_litert"]
