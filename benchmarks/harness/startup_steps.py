"""The steps of our own cold start, measured once in a fresh process that `benchmarks.cold` starts.

The imports are what is measured, so the module imports nothing of the project at its top.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def measure(data: bytes, started: float) -> dict[str, float]:
    """Run each step once.

    Args:
        data: Bytes of a photo.
        started: When this process was started, by `time.time`.

    Returns:
        Milliseconds by step, in their order.
    """
    times, last = {"Python": (time.time() - started) * 1000}, time.perf_counter()

    def end_of(step: str) -> None:
        nonlocal last
        now = time.perf_counter()
        times[step], last = (now - last) * 1000, now

    import functions_framework  # noqa: F401

    end_of("import functions-framework and Flask")
    import numpy  # noqa: F401

    end_of("import NumPy")
    from PIL import Image  # noqa: F401

    end_of("import Pillow")
    from model.tflite import runtime  # noqa: F401

    end_of("import the TFLite runtime")
    from model import options, segmenter
    from model.gcs import download
    from model.serving import model_loader, settings  # noqa: F401

    end_of("import our own modules")
    config = settings.Settings.from_env()
    file = download.local_model_file(config.model_uri)
    end_of("compute the model's checksum")
    ours = segmenter.Segmenter(file.path, file.sha256, interpreters=1, wait_limit_s=1, max_pixels=config.max_pixels)
    end_of("load the model: validation, interpreter, XNNPACK weights")
    default = options.Options.parse({}, ours.card)
    ours.segment(data, default)
    end_of("first mask")
    ours.segment(data, default)
    end_of("second mask (not part of the start)")
    return {step: round(ms, 3) for step, ms in times.items()}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]).read_bytes(), float(sys.argv[2]))))
