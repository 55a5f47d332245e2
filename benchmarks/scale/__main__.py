"""`python -m benchmarks.scale`: what a million photos take, against --max-instances."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.harness import results
from benchmarks.harness.options import Options
from benchmarks.scale import check, inputs, pages
from benchmarks.scale.plan import LIMITS, plan


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate the plan, or hold the simulation against a measured run; 1 where it does not reproduce it."""
    asked = parser().parse_args(arguments)
    if asked.check:
        return hold_against(asked.check)
    photos = 20_000 if asked.quick else asked.photos
    result = plan(photos, asked.limits, inputs.read(), asked.seed, asked.processes)
    folder = asked.out or Options(quick=asked.quick).results
    results.save(folder, "scale", {**result, "inputs": inputs.values()})
    (folder / "scale.svg").write_text(pages.picture(result))
    print(pages.text(result))
    return 0


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    found = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    found.add_argument("--photos", type=int, default=1_000_000, metavar="N", help="how many photos (1000000)")
    found.add_argument("--limits", type=numbers, default=LIMITS, metavar="N,N,...", help="of --max-instances")
    found.add_argument("--seed", type=int, default=1, metavar="N", help="of every draw (1)")
    found.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="to simulate with")
    found.add_argument("--quick", action="store_true", help="few photos, out of the committed results")
    found.add_argument("--out", type=Path, metavar="FOLDER", help="where scale.json and scale.svg go")
    found.add_argument(
        "--check",
        type=argparse.FileType("r"),
        metavar="FILE",
        help="only reproduce a measured run, the JSON of tests.stress.bucket_chaos (- for standard input)",
    )
    return found


def numbers(text: str) -> tuple[int, ...]:
    """Read a list of numbers."""
    return tuple(sorted({int(part) for part in text.split(",")}))


def hold_against(file: Iterable[str]) -> int:
    """Say how far the simulation is from each measured figure."""
    run = check.brought_over(json.loads([line for line in file if line.strip()][-1]))
    rows = check.compare(run, check.simulate(run))
    for name, measured, simulated, off in rows:
        print(f"{name}: measured {measured:.2f}, simulated {simulated:.2f}, {off:+.1%}")
    if check.reproduces(rows):
        return 0
    print(f"the simulation is off by more than {check.NEAR_ENOUGH:.0%}: do not believe it", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
