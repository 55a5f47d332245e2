"""Run the families: `python -m tests.training.families [--only NAME ...] [--out FOLDER]`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.training.families import report
from tests.training.families.check import Row, check
from tests.training.families.family import FAMILIES

MODULES = ("architectures", "heads", "inputs", "formats", "keras2_packages", "keras3_packages")


def main(argv: Sequence[str] | None = None) -> int:
    """Check each family, print its row, and write the table; return 1 if a row is not good."""
    import tensorflow  # noqa: F401  # imported once, before the processes are forked

    for module in MODULES:
        importlib.import_module(f"tests.training.families.{module}")  # registers its families

    args = arguments().parse_args(argv)
    names = args.only or list(FAMILIES)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            start = time.monotonic()
            row = check(FAMILIES[name], (args.keep or Path(scratch)) / name)
            rows.append(row)
            print(f"{name}: {row.verdict} {row.agreement} ({time.monotonic() - start:.0f} s)", flush=True)
            if args.out:
                report.write(args.out, rows)
    print(report.summary(rows))
    return 0 if all(row.verdict in report.GOOD for row in rows) else 1


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.training.families", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="families to check, default all")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write results.json and results.md there")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the models, masks and logs there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
