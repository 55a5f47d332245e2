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
        "e898538b6841ab7fb448d70ed5b2259c1544af7a0719ba5493fa0b1b34b049ad",  # float16
        "961411fc5a83e518076095b51fb6e3f535569f5d592369bdc3754dfbb2f1f17c",  # int8
    }
)
BUNDLED_MODEL = FILES["tflite_runtime" if find_spec("tflite_runtime") else "ai_edge_litert"]
