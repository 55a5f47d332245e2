"""`python -m benchmarks.scale`: simulate a million photos, or check the simulation against a measured run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.harness import results
from benchmarks.harness.options import Options
from benchmarks.report import tables
from benchmarks.report.publish import draw, publish
from benchmarks.scale import inputs
from benchmarks.scale.check import TOLERANCE, compare
from benchmarks.scale.plan import LIMITS, simulate, simulate_all

FLOAT16_LIMIT = 10  # --max-instances of the case that is simulated with the float16 model too


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if the check fails, else 0."""
    options = parser().parse_args(arguments)
    if options.check:
        return check(options.check)
    photos = 20_000 if options.quick else options.photos
    values = inputs.read()
    result = simulate_all(photos, options.limits, values, options.seed, options.processes)
    try:
        float16 = inputs.read(server="ours-float16")
        result["float16"] = simulate("backfill", FLOAT16_LIMIT, photos, float16, options.seed)
    except ValueError as error:
        print(f"the float16 model is not simulated: {error}", file=sys.stderr)
    result["prices_of"] = min(fact["date"] for fact in inputs.facts()["price"].values()).isoformat()
    folder = options.out or Options(quick=options.quick).results
    results.save(folder, "scale", {**result, "inputs": values})
    if folder == Options().results:
        publish(folder)
    else:
        print(tables.scale_table(result))
        draw(folder)
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--photos", type=int, default=1_000_000, metavar="N", help="number of photos (1000000)")
    parser.add_argument("--limits", type=numbers, default=LIMITS, metavar="N,N,...", help="values of --max-instances")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of all random numbers (1)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="parallel processes")
    parser.add_argument("--quick", action="store_true", help="simulate 20000 photos; keep the committed results")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder for scale.json and scale.svg")
    parser.add_argument(
        "--check",
        type=argparse.FileType("r"),
        metavar="FILE",
        help="check the simulation against a run of tests.stress.bucket_chaos: its JSON, or - for standard input",
    )
    return parser


def numbers(text: str) -> tuple[int, ...]:
    """Parse a comma-separated list of integers."""
    return tuple(sorted({int(part) for part in text.split(",")}))


def check(file: Iterable[str]) -> int:
    """Print the error of the simulation against a measured run; return 1 if it exceeds the tolerance."""
    rows = compare(json.loads([line for line in file if line.strip()][-1]))
    for name, measured, simulated, error in rows:
        print(f"{name}: measured {measured:.2f}, simulated {simulated:.2f}, {error:+.1%}")
    if all(abs(error) <= TOLERANCE for *_, error in rows):
        return 0
    print(f"the simulation is off by more than {TOLERANCE:.0%}; do not rely on it", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
