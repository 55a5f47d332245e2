"""Checks of the command line that concern several arguments."""

from __future__ import annotations

import argparse
import sys

from ..options import Output
from .bucket_listing import parse_gs_uri

STDIN = STDOUT = "-"
# The options of result files, which neither a bucket nor a comparison writes.
FOR_RESULT_FILES = ("output", "format", "background", "out", "compare", "show", "force")


def check_combinations(parser: argparse.ArgumentParser, args: argparse.Namespace, output: Output) -> None:
    """Exit if options contradict each other.

    Args:
        parser: The parser, which prints the error.
        args: The parsed arguments.
        output: The output to request.

    Raises:
        SystemExit: With code 2.
    """
    if args.background and output != "cutout":
        parser.error("--background requires --output cutout")
    if args.contact_sheet and output == "json":
        parser.error("--contact-sheet cannot be used with --output json, which gives no images")
    if STDIN in args.photo and len(args.photo) > 1:
        parser.error("- (standard input) must be the only photo")
    if args.out == STDOUT and sys.stdout.isatty():
        parser.error("refusing to write binary data to the terminal: use --out FILE, or redirect standard output")
    _check_comparison(parser, args)
    _check_bucket(parser, args)


def _check_comparison(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit if a comparison of two functions is combined with what applies to results only."""
    if args.against is None:
        if args.min_agreement is not None:
            parser.error("--min-agreement requires --against URL, the function to compare with")
        return
    if any(source == STDIN or source.startswith("gs://") for source in args.photo):
        parser.error("--against compares photos in files, not on standard input or in a bucket")
    _refuse(parser, args, (*FOR_RESULT_FILES, "size", "masks"), "--against, which compares masks and writes none")


def _check_bucket(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit if a bucket is combined with files, or with options that apply to files only."""
    uris = [source for source in args.photo if source.startswith("gs://")]
    if not args.masks:
        if uris:
            parser.error(f"{uris[0]} requires --masks gs://BUCKET, the bucket for its masks")
        return
    if uris != args.photo or len(uris) > 1:
        parser.error("--masks requires exactly one gs://BUCKET or gs://BUCKET/PREFIX")
    try:
        parse_gs_uri(args.photo[0])
    except ValueError as error:
        parser.error(str(error))
    unused = (*FOR_RESULT_FILES, "threshold", "class_name", "size", "contact_sheet", "follow_links")
    _refuse(parser, args, unused, "a bucket, whose masks the function writes itself")


def _refuse(parser: argparse.ArgumentParser, args: argparse.Namespace, names: tuple[str, ...], used_with: str) -> None:
    """Exit if one of the options is given."""
    for name in names:
        if getattr(args, name):
            option = "--class" if name == "class_name" else f"--{name.replace('_', '-')}"
            parser.error(f"{option} cannot be used with {used_with}")
