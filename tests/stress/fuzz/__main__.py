"""Fuzz one target: with atheris, which takes further options; without it, by random mutations of the seeds."""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

RUNS, SEED = 3_000, 1  # without atheris


def main() -> None:
    """Fuzz the target that the first argument names."""
    name = sys.argv.pop(1)
    warnings.simplefilter("ignore")
    try:
        import atheris
    except ModuleNotFoundError:
        from tests.stress.fuzz.mutator import fuzz
        from tests.stress.fuzz.targets import TARGETS

        print(f"atheris is not installed: running {RUNS} random mutations of the seeds, without coverage")
        fuzz(TARGETS[name], RUNS, SEED)
        return
    with atheris.instrument_imports(include=["model", "main", "werkzeug", "PIL", "zipfile", "json"]):
        from PIL import Image

        Image.init()  # imports the plugins now, so that they are instrumented
        from tests.stress.fuzz.targets import TARGETS
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(TARGETS[name].seeds()):
            (Path(folder) / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, "-rss_limit_mb=4096", folder], TARGETS[name].run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
