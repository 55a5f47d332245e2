"""What every command of the benchmarks understands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parents[1]
ROOT = HERE.parent
CACHE = HERE / ".cache"
MODEL = ROOT / "model" / "weights" / "pets.tflite"


@dataclass(frozen=True)
class Options:
    """How to run.

    quick: a smoke test of seconds, whose results stay out of the committed ones
    only: names of the contestants to run; empty for all
    install: give each contestant its own environment; otherwise this Python runs those that it can
    older_python: an interpreter that has the older recipe's packages already
    """

    quick: bool = False
    only: tuple[str, ...] = ()
    install: bool = True
    older_python: Path | None = None

    @property
    def results(self) -> Path:
        """Tell where results go."""
        return CACHE / "quick" if self.quick else HERE / "results"


def parse(command: str, arguments: Sequence[str] | None = None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{command}")
    parser.add_argument("--quick", action="store_true", help="a smoke test of seconds; its figures mean nothing")
    parser.add_argument("--only", default="", metavar="NAMES", help="some of ours,older,litserve,naive,ok")
    parser.add_argument("--no-install", action="store_true", help="this Python runs ours, naive and ok")
    parser.add_argument("--older-python", type=Path, metavar="PATH", help="a Python that has its packages")
    found = parser.parse_args(arguments)
    only = tuple(name for name in found.only.split(",") if name)
    return Options(found.quick, only, not found.no_install, found.older_python)
