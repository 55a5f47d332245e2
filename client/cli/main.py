"""The entry point of the command line."""

from __future__ import annotations

import io
import logging
import os
import sys

from PIL import Image

from ..errors import ClientError, EnvironmentVariableError
from .against import run_comparison
from .arguments import parse_arguments
from .backfill import run_backfill
from .batch import INTERRUPTED, run_batch
from .output_paths import UsageError, is_batch
from .single import run_single
from .terminal import EscapingFormatter, escape


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments without the program name; None for sys.argv.

    Returns:
        The exit code: 0 if everything succeeded, 1 if anything failed, 2 for a usage error, 3 if two functions agree
        less than --min-agreement, 130 after Ctrl-C.

    Raises:
        SystemExit: With code 2, if the arguments are invalid; with code 0, after --help.
    """
    options = parse_arguments(argv)
    handler = logging.StreamHandler()
    handler.setFormatter(EscapingFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("silhouette").setLevel(logging.WARNING if options.quiet else logging.INFO)
    Image.MAX_IMAGE_PIXELS = None  # the photos are the user's own, so decompression bombs are not a concern
    _escape_unencodable_output()
    try:
        if options.against is not None:
            return run_comparison(options)
        if options.masks:
            return run_backfill(options)
        return run_batch(options) if is_batch(options.sources) else run_single(options)
    except UsageError as error:
        print(escape(str(error)), file=sys.stderr)
        return 2
    except ClientError as error:
        print(escape(error.detail), file=sys.stderr)
        return 2 if isinstance(error, EnvironmentVariableError) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of standard output, such as `head`, has closed it. Python would fail again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _escape_unencodable_output() -> None:
    """Print file names that the terminal's encoding lacks with escapes, rather than raising UnicodeEncodeError."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
