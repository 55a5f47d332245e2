"""Fuzz one target: with atheris, whose options may follow; without it, by random changes of its seeds."""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

RUNS, SEED = 3_000, 1


def main() -> None:
    """Fuzz the target that the command names."""
    name = sys.argv.pop(1)
    warnings.simplefilter("ignore")
    try:
        import atheris
    except ModuleNotFoundError:
        from .mutator import drive
        from .targets import TARGETS

        print(f"atheris is not installed: {RUNS} random changes of the seeds instead, and no look at the coverage")
        drive(TARGETS[name], RUNS, SEED)
        return
    with atheris.instrument_imports(include=["model", "main", "werkzeug", "PIL", "zipfile", "json"]):
        from PIL import Image

        Image.init()  # or its formats would be imported later, and not watched
        from .targets import TARGETS
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(TARGETS[name].seeds()):
            (Path(folder) / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, "-rss_limit_mb=4096", folder], TARGETS[name].run)
        atheris.Fuzz()


main()
