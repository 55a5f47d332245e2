"""Send the corpus of hostile bodies to a function, and print the results (`make hostile`)."""

from __future__ import annotations

import argparse
import json
import sys

from tests.stress.hostile.corpus import corpus
from tests.stress.hostile.runner import send_all
from tests.support.function_process import launched


def main() -> None:
    """Run the command line; exit with 1 if a response is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.hostile", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="number of bodies (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random damage (default: %(default)s)")
    arguments = parser.parse_args()
    with launched({"INTERPRETERS": "1"}) as function:
        results = send_all(function.url, corpus(arguments.cases, arguments.seed), function.pss_mb)
    for violation in results.wrong:
        print(violation, file=sys.stderr)
    print(json.dumps({"seed": arguments.seed, **results.figures()}))
    sys.exit(bool(results.wrong))


if __name__ == "__main__":
    main()
