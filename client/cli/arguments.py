"""The command line's options, read and checked."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from client.cli.background import Background, read_background
from client.cli.bucket_listing import split
from client.cli.comparison import is_picture_name
from client.client import DEADLINE_S, Client
from client.errors import ClientError
from client.options import DEFAULT_URL, OUTPUTS, SIZES, Output, Question, read_url
from client.tokens import AUTHS, Auth

STDIN = STDOUT = "-"
MOST_JOBS = 1000
NOT_FOR_BUCKETS = (
    "output",
    "threshold",
    "class_name",
    "size",
    "background",
    "out",
    "compare",
    "contact_sheet",
    "show",
    "force",
)
EPILOG = """\
One photo is always asked for. Of several (a folder, a pattern, a list), those whose result is there already are
skipped, so that the same command goes on where it stopped. Exit code: 0 all done, 1 something failed,
2 the command is wrong, 130 stopped by Ctrl-C.
"""


@dataclass(frozen=True)
class Options:
    """Hold what the command line says."""

    sources: list[str]
    url: str
    question: Question
    out: str | None
    background: Background | None
    compare: Path | None
    contact_sheet: Path | None
    log: Path | None
    show: bool
    jobs: int
    force: bool
    quiet: bool
    auth: Auth
    audience: str | None
    deadline_s: float
    masks: str | None = None


def read_options(arguments: list[str] | None = None) -> Options:
    """Read the command line; a mistake in it ends the program with exit code 2."""
    parser = build_parser()
    given = parser.parse_args(arguments)
    output: Output = given.output or ("cutout" if given.background else "mask")
    if given.background and output != "cutout":
        parser.error("--background is for --output cutout")
    if given.contact_sheet and output == "json":
        parser.error("--contact-sheet needs pictures, and --output json gives none")
    check_bucket(parser, given)
    if STDIN in given.photo and len(given.photo) > 1:
        parser.error("- (the photo on standard input) stands alone")
    if given.photo == [STDIN] and given.out is None:
        given.out = STDOUT
    if given.out == STDOUT and sys.stdout.isatty():
        parser.error("the result would go to the terminal: give --out FILE, or redirect it")
    return Options(
        sources=given.photo,
        url=given.url,
        question=Question(output, given.threshold, given.class_name, given.size),
        out=given.out,
        background=given.background,
        compare=given.compare,
        contact_sheet=given.contact_sheet,
        log=given.log,
        show=given.show,
        jobs=given.jobs,
        force=given.force,
        quiet=given.quiet,
        auth=given.auth,
        audience=given.audience,
        deadline_s=given.deadline,
        masks=given.masks,
    )


def check_bucket(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """End the program where a bucket is mixed with what goes through this machine."""
    in_bucket = [source for source in given.photo if source.startswith("gs://")]
    if not given.masks:
        if in_bucket:
            parser.error(f"{in_bucket[0]} needs --masks gs://BUCKET, where its masks go")
        return
    if in_bucket != given.photo or len(in_bucket) > 1:
        parser.error("--masks is for one gs://BUCKET or gs://BUCKET/PREFIX")
    try:
        split(given.photo[0])
    except ValueError as error:
        parser.error(str(error))
    for option in NOT_FOR_BUCKETS:
        if getattr(given, option):
            parser.error(
                f"--{option.replace('_name', '').replace('_', '-')} is not for a bucket, where events make plain masks"
            )


def make_client(options: Options, stop: threading.Event | None = None) -> Client:
    """Make the client that the options describe."""
    return Client(options.url, auth=options.auth, audience=options.audience, deadline_s=options.deadline_s, stop=stop)


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    name = "silhouette" if Path(sys.argv[0]).stem == "silhouette" else "python -m client"
    parser = argparse.ArgumentParser(name, description="Cut photos out with a Silhouette function.", epilog=EPILOG)
    parser.add_argument(
        "photo",
        nargs="+",
        metavar="PHOTO",
        help="a photo, a folder, a pattern, gs://BUCKET/PREFIX, or - for standard input",
    )
    add_questions(parser)
    add_places(parser)
    add_manners(parser)
    return parser


def add_questions(parser: argparse.ArgumentParser) -> None:
    """Add what is asked of the server, and which server."""
    url = os.environ.get("SILHOUETTE_URL") or DEFAULT_URL
    group = parser.add_argument_group("the question")
    group.add_argument("--url", default=url, type=checked_url, help="the function (or SILHOUETTE_URL; now %(default)s)")
    group.add_argument("--output", choices=OUTPUTS, help="what to make of each photo (mask)")
    group.add_argument("--threshold", type=float, metavar="0..1", help="how sure the model must be")
    group.add_argument("--class", dest="class_name", metavar="NAME", help="of a model with several, this class alone")
    group.add_argument("--size", choices=SIZES, help="the photo's own size, or the model's (photo)")
    group.add_argument(
        "--background", type=checked_background, metavar="COLOUR|IMAGE", help="what to put behind a cutout"
    )


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add where things go."""
    group = parser.add_argument_group("the results")
    group.add_argument("--out", metavar="FILE|FOLDER", help="where to write (beside the photo); - for standard output")
    group.add_argument(
        "--masks",
        type=checked_bucket,
        metavar="gs://BUCKET",
        help="of photos in gs://BUCKET/PREFIX: the function's MASK_BUCKET; masks go from bucket to bucket",
    )
    group.add_argument(
        "--compare",
        type=Path,
        metavar="FILE|FOLDER",
        help="write photo, mask and overlay side by side too: to a file for one photo, to a folder for several",
    )
    group.add_argument(
        "--contact-sheet", type=checked_picture, metavar="FILE", help="write small pictures of all, 60 to a sheet"
    )
    group.add_argument("--log", type=Path, metavar="FILE", help="add a line of JSON for each photo")
    group.add_argument("--show", action="store_true", help="open the result when done")


def add_manners(parser: argparse.ArgumentParser) -> None:
    """Add how the work is done."""
    group = parser.add_argument_group("the work")
    group.add_argument("--jobs", type=checked_jobs, default=4, metavar="N", help="photos in flight (4)")
    group.add_argument("--force", action="store_true", help="redo what is there already")
    group.add_argument("--quiet", action="store_true", help="print failures and nothing else")
    group.add_argument("--auth", choices=AUTHS, default="auto", help="where identity tokens come from (auto)")
    group.add_argument("--audience", metavar="URL", help="whom tokens are for, if not the address itself")
    group.add_argument(
        "--deadline",
        type=checked_deadline,
        default=DEADLINE_S,
        metavar="SECONDS",
        help="for one photo, all tries together (%(default)g)",
    )


def checked_url(text: str) -> str:
    """Take an address if it is one."""
    try:
        return str(read_url(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def checked_bucket(text: str) -> str:
    """Take gs://BUCKET."""
    try:
        bucket, prefix = split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if prefix:
        raise argparse.ArgumentTypeError(f"{text!r} names a folder; the function knows where in the bucket masks go")
    return f"gs://{bucket}"


def checked_picture(text: str) -> Path:
    """Take a name for a picture."""
    if not is_picture_name(Path(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not called like a picture")
    return Path(text)


def checked_background(text: str) -> Background:
    """Take a colour, or the path of a picture."""
    try:
        return read_background(text)
    except (ValueError, ClientError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a colour nor a picture: {error}") from error


def checked_jobs(text: str) -> int:
    """Take a number of photos in flight."""
    if not text.isdigit() or not 1 <= int(text) <= MOST_JOBS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_JOBS}")
    return int(text)


def checked_deadline(text: str) -> float:
    """Take a number of seconds above none."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
