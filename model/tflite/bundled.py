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
        "669914a82d74b1bd7c83f6e1f437b204559d9993b9deff581d745c7533e83123",  # float16
        "2b6c9af93eec875895fae75e0ae94f6ab7bd7af689056ab945bd60fcb50b0308",  # int8
    }
)
BUNDLED_MODEL = FILES["tflite_runtime" if find_spec("tflite_runtime") else "ai_edge_litert"]
