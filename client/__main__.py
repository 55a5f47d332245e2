"""`python -m client`, and the `silhouette` command."""

from __future__ import annotations

import io
import logging
import os
import sys

from PIL import Image

from client.cli.arguments import read_options
from client.cli.backfill import run_backfill
from client.cli.batch import run_many
from client.cli.output_paths import PlanError, is_for_many
from client.cli.single import run_one
from client.errors import ClientError

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; give back the exit code."""
    options = read_options(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("silhouette").setLevel(logging.WARNING if options.quiet else logging.INFO)
    Image.MAX_IMAGE_PIXELS = None  # the photos are the user's own, and none is too large
    print_any_name()
    try:
        if options.masks:
            return run_backfill(options)
        return run_many(options) if is_for_many(options.sources) else run_one(options)
    except PlanError as error:
        print(error, file=sys.stderr)
        return 2
    except ClientError as error:
        print(error.detail, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the list of results, such as `head`, has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def print_any_name() -> None:
    """Let a file name that the terminal's encoding lacks be printed with escapes instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
