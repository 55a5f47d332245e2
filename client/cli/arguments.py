"""The arguments of the command line, parsed and checked."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from ..client import Client
from ..options import OUTPUT_FORMATS, OUTPUT_SIZES, OUTPUTS, Output, OutputFormat, SegmentOptions
from ..retry import DEFAULT_DEADLINE_S
from ..tokens import AUTH_MODES, AuthMode
from ..url import DEFAULT_URL
from . import argument_types
from .argument_checks import STDIN, STDOUT, check_combinations
from .background import Background
from .file_format import FileFormat, choose_format

EPILOG = """\
A single photo is always segmented again. Among several (a folder, a pattern, a list), photos are skipped that have a
result of the same options and model, so the same command continues an interrupted run. A file that is not a result of
the same photo is overwritten only with --force. Exit codes: 0 success, 1 something failed, 2 usage error, 3 the masks
of --against agree less than --min-agreement, 130 interrupted by Ctrl-C.
"""


@dataclass(frozen=True)
class CliOptions:
    """The parsed command line; None means that the option was not given.

    Attributes:
        sources: Photos, folders, patterns, "-", or one gs:// URI.
        url: URL of the function.
        segment: Options of each request.
        out: File or folder for the results; "-" is standard output.
        background: Background of cutouts.
        compare: File or folder for comparison images.
        contact_sheet: File for the first contact sheet.
        log: File for the JSON log lines.
        show: Open the result in an image viewer.
        jobs: Number of photos processed concurrently.
        force: Process photos again that have a result, and overwrite other files.
        quiet: Print errors only.
        auth: Source of identity tokens.
        audience: Audience of identity tokens.
        deadline_s: Time for one photo with all retries, in seconds.
        masks: gs:// URI of the mask bucket; selects the backfill.
        follow_links: Search folders that are symbolic links.
        file_format: Format of the result files.
        against: URL of the function whose masks are compared with those of `url`; selects the comparison.
        min_agreement: Least mean agreement of a comparison that is no error, 0 to 1.
    """

    sources: list[str]
    url: str
    segment: SegmentOptions
    out: str | None
    background: Background | None
    compare: Path | None
    contact_sheet: Path | None
    log: Path | None
    show: bool
    jobs: int
    force: bool
    quiet: bool
    auth: AuthMode
    audience: str | None
    deadline_s: float
    masks: str | None = None
    follow_links: bool = False
    file_format: FileFormat = "png"
    against: str | None = None
    min_agreement: float = 0.0

    def origin_options(self) -> dict[str, str]:
        """Return the options that determine a result, as stored in its origin."""
        background = {"background": self.background.identity} if self.background else {}
        return {"output": self.segment.output, **self.segment.query(), **background, "format": self.file_format}


def parse_arguments(argv: list[str] | None = None) -> CliOptions:
    """Parse the command line.

    Args:
        argv: The arguments without the program name; None for sys.argv.

    Returns:
        The options.

    Raises:
        SystemExit: With code 2, if the arguments are invalid; with code 0, after --help.
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    output: Output = args.output or ("cutout" if args.background else "mask")
    if args.photo == [STDIN] and args.out is None:
        args.out = STDOUT
    check_combinations(parser, args, output)
    file_format = _file_format(parser, args, output)
    return CliOptions(
        sources=args.photo,
        url=args.url,
        segment=SegmentOptions(
            output, args.threshold, args.class_name, args.size, _requested_format(args, file_format)
        ),
        out=args.out,
        background=args.background,
        compare=args.compare,
        contact_sheet=args.contact_sheet,
        log=args.log,
        show=args.show,
        jobs=args.jobs,
        force=args.force,
        quiet=args.quiet,
        auth=args.auth,
        audience=args.audience,
        deadline_s=args.deadline,
        masks=args.masks,
        follow_links=args.follow_links,
        file_format=file_format,
        against=args.against,
        min_agreement=args.min_agreement or 0.0,
    )


def _file_format(parser: argparse.ArgumentParser, args: argparse.Namespace, output: Output) -> FileFormat:
    """Return the format of the result files; exit if the output cannot be stored as --out and --format demand."""
    try:
        return choose_format(args.out, args.format, output, args.background is not None)
    except ValueError as error:
        parser.error(f"--out {args.out}: {error}" if args.out else str(error))


def _requested_format(args: argparse.Namespace, file_format: FileFormat) -> OutputFormat | None:
    """Return the format to request; None for PNG, from which a cutout on a background is drawn."""
    return file_format if file_format in ("jpeg", "webp") and not args.background else None


def make_client(options: CliOptions, stop: threading.Event | None = None) -> Client:
    """Return the client for the options."""
    return Client(options.url, auth=options.auth, audience=options.audience, deadline_s=options.deadline_s, stop=stop)


def build_parser() -> argparse.ArgumentParser:
    """Return the argument parser."""
    installed = Path(sys.argv[0]).stem == "silhouette"
    name = "silhouette" if installed else f"python -m {__name__.partition('.')[0]}"
    parser = argparse.ArgumentParser(name, description="Segment photos with a Silhouette function.", epilog=EPILOG)
    parser.add_argument(
        "photo",
        nargs="+",
        metavar="PHOTO",
        help="a photo, a folder, a glob pattern, gs://BUCKET/PREFIX, or - for standard input",
    )
    _add_request_options(parser)
    _add_file_options(parser)
    _add_comparison_options(parser)
    _add_run_options(parser)
    return parser


def _add_request_options(parser: argparse.ArgumentParser) -> None:
    url = os.environ.get("SILHOUETTE_URL") or DEFAULT_URL
    group = parser.add_argument_group("request")
    group.add_argument(
        "--url",
        default=url,
        type=argument_types.url,
        help=f"URL of the function (default: SILHOUETTE_URL if that is set, else {DEFAULT_URL})",
    )
    group.add_argument("--output", choices=OUTPUTS, help="what to return for each photo (default: mask)")
    group.add_argument("--threshold", type=float, metavar="0..1", help="score from which a pixel belongs to the object")
    group.add_argument("--class", dest="class_name", metavar="NAME", help="segment this class only")
    group.add_argument("--size", choices=OUTPUT_SIZES, help="the photo's size or the model's (default: photo)")
    group.add_argument(
        "--format",
        choices=OUTPUT_FORMATS,
        help="file format of overlays and cutouts (default: by the extension of --out, else png)",
    )
    group.add_argument(
        "--background", type=argument_types.background, metavar="COLOUR|IMAGE", help="draw cutouts on this background"
    )


def _add_file_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output files")
    group.add_argument(
        "--out",
        metavar="FILE|FOLDER",
        help="where to write results (default: beside each photo); - for standard output",
    )
    group.add_argument(
        "--masks",
        type=argument_types.mask_bucket,
        metavar="gs://BUCKET",
        help="the function's MASK_BUCKET: write the missing masks of the photos in gs://BUCKET/PREFIX to it",
    )
    group.add_argument(
        "--compare",
        type=Path,
        metavar="FILE|FOLDER",
        help="also write photo, mask and overlay side by side: to a file for one photo, a folder for several",
    )
    group.add_argument(
        "--contact-sheet",
        type=argument_types.image_path,
        metavar="FILE",
        help="write thumbnails of all results, 60 per sheet; with --against, of the ten photos whose masks agree least",
    )
    group.add_argument("--log", type=argument_types.log_path, metavar="FILE", help="append one line of JSON per photo")
    group.add_argument("--show", action="store_true", help="open the result in an image viewer")


def _add_comparison_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("comparison of two functions")
    group.add_argument(
        "--against",
        type=argument_types.url,
        metavar="URL",
        help="compare the masks of --url with those of this function; no mask is written",
    )
    group.add_argument(
        "--min-agreement",
        type=argument_types.agreement,
        metavar="0..1",
        help="exit with code 3 if the mean intersection over union is lower",
    )


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("run")
    group.add_argument(
        "--jobs", type=argument_types.jobs, default=4, metavar="N", help="photos to process concurrently (default: 4)"
    )
    group.add_argument(
        "--force",
        action="store_true",
        help="process photos again that have a result, and overwrite files that this command did not make",
    )
    group.add_argument("--follow-links", action="store_true", help="search folders that are symbolic links")
    group.add_argument("--quiet", action="store_true", help="print errors only")
    group.add_argument("--auth", choices=AUTH_MODES, default="auto", help="source of identity tokens (default: auto)")
    group.add_argument("--audience", metavar="URL", help="audience of identity tokens (default: from --url)")
    group.add_argument(
        "--deadline",
        type=argument_types.deadline,
        default=DEFAULT_DEADLINE_S,
        metavar="SECONDS",
        help="time for one photo with all its retries (default: %(default)g)",
    )
