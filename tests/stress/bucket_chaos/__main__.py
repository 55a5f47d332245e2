"""Check the masks in buckets under kills, duplicate events and failures of Cloud Storage; exit with 1 on an error."""

from __future__ import annotations

import argparse
import json
import sys

from tests.stress.bucket_chaos.experiment import run
from tests.stress.bucket_chaos.scenario import Scenario

OPTIONS = (
    ("photos", 2000, "number of photos"),
    ("processes", 3, "number of processes of the function"),
    ("jobs", 8, "number of events delivered at the same time"),
    ("seed", 1, "seed of the random choices"),
)


def main() -> int:
    """Run the command line, and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.bucket_chaos", description=__doc__)
    for name, default, text in OPTIONS:
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} (default: %(default)s)")
    parser.add_argument(
        "--kill-every",
        dest="kill_every_s",
        type=float,
        default=4.0,
        metavar="SECONDS",
        help="time between kills (default: %(default)s)",
    )
    figures = run(Scenario(**vars(parser.parse_args())))
    print(json.dumps(figures))
    return 1 if figures["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
