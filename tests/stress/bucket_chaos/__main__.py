"""The command line of the proof."""

from __future__ import annotations

import argparse
import json
import sys

from .play import Play, run


def main() -> int:
    """Play it as large as asked, and print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.stress.bucket_chaos", description=(__doc__ or "").partition("\n")[0]
    )
    for name, default in (("photos", 2000), ("processes", 3), ("jobs", 8), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--kill-every", dest="kill_every_s", type=float, default=4.0, metavar="SECONDS")
    told = run(Play(**vars(parser.parse_args())))
    print(json.dumps(told))
    return 1 if told["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
