"""The steps of a start of ours, taken once, with no server: a process of its own, which `benchmarks.cold` starts.

It imports what it measures, and so nothing else of ours before.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def take(data: bytes, began: float) -> dict[str, float]:
    """Take each step once.

    data: a photo
    began: when this process was started, by time.time()
    returns: milliseconds by step
    """
    times, last = {"Python": (time.time() - began) * 1000}, time.perf_counter()

    def mark(step: str) -> None:
        nonlocal last
        now = time.perf_counter()
        times[step], last = (now - last) * 1000, now

    import functions_framework  # noqa: F401

    mark("functions-framework, with Flask")
    import numpy  # noqa: F401

    mark("NumPy")
    from PIL import Image  # noqa: F401

    mark("Pillow")
    from model.tflite import pool  # noqa: F401

    mark("the TFLite runtime")
    from model import options, segmenter
    from model.gcs import download
    from model.serving import settings

    mark("our own modules")
    set_up = settings.Settings.from_env()
    model_file = download.local_model_file(set_up.model_uri)
    mark("the model's checksum")
    ours = segmenter.Segmenter(set_up, model_file)
    mark("the model: checks, interpreter, XNNPACK's weights")
    asked = options.Options.parse({}, ours.card)
    ours.segment(data, asked)
    mark("the first mask")
    ours.segment(data, asked)
    mark("a mask after it, which no start waits for")
    return {step: round(ms, 3) for step, ms in times.items()}


if __name__ == "__main__":
    print(json.dumps(take(Path(sys.argv[1]).read_bytes(), float(sys.argv[2]))))
