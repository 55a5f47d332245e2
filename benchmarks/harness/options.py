"""The command-line options that all benchmarks share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model.tflite.bundled import BUNDLED_MODEL

BENCHMARKS = Path(__file__).parents[1]
ROOT = BENCHMARKS.parent
CACHE = BENCHMARKS / ".cache"
Variant = Literal["float16", "int8"]


def model_file(variant: Variant) -> Path:
    """Return the bundled model of a variant."""
    return ROOT / "model" / "weights" / f"pets-{variant}.tflite"


MODEL = BUNDLED_MODEL


@dataclass(frozen=True)
class Options:
    """How to run a benchmark.

    Attributes:
        quick: Run a smoke test of a few seconds, whose results are kept apart from the committed ones.
        only: Names of the servers to run; empty for all.
        install: Install each server into its own environment; otherwise this Python runs the servers it can run.
        flask_tensorflow_python: An interpreter that already has the packages of the server `flask_tensorflow`.
    """

    quick: bool = False
    only: tuple[str, ...] = ()
    install: bool = True
    flask_tensorflow_python: Path | None = None

    @property
    def results(self) -> Path:
        """The folder that results are written to."""
        return CACHE / "quick" if self.quick else BENCHMARKS / "results"


def parse(command: str, arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line of `python -m benchmarks.<command>`.

    Args:
        command: Name of the benchmark.
        arguments: Command-line arguments; those of this process if None.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{command}")
    parser.add_argument("--quick", action="store_true", help="run a smoke test of a few seconds; ignore its figures")
    parser.add_argument(
        "--only",
        default="",
        metavar="NAMES",
        help="run only ours and these of ours-float16,flask_tensorflow,litserve-float16,litserve-int8,naive-float16,"
        "naive-int8,ok",
    )
    parser.add_argument("--no-install", action="store_true", help="install nothing; run ours, naive-* and ok")
    parser.add_argument(
        "--flask-tensorflow-python",
        type=Path,
        metavar="PATH",
        help="a Python interpreter that already has the packages of flask_tensorflow",
    )
    parsed = parser.parse_args(arguments)
    only = tuple(name for name in parsed.only.split(",") if name)
    return Options(parsed.quick, only, not parsed.no_install, parsed.flask_tensorflow_python)
