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
        "943e0b942b3c6aaef20cafa3f613293c1796de5268c9f56dd2fe0e1f56434a9c",  # float16
        "88a01d18172db28d1c3e04aa66435281398a75faf44809014188291c96e8ea85",  # int8
    }
)
BUNDLED_MODEL = FILES["tflite_runtime" if find_spec("tflite_runtime") else "ai_edge_litert"]
