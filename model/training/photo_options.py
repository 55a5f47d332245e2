"""The command-line options that name folders of photos and masks, for train and evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path

from model.training.data import masks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the folders to a command's parser."""
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument(
        "--masks", type=Path, nargs="+", required=True, metavar="FOLDER", help="one for each of --photos: NAME.png"
    )
    parser.add_argument("--kind", choices=masks.FORMATS, default="auto", help=masks.FORMATS_HELP)
    parser.add_argument("--skip-broken", action="store_true", help="ignore broken pairs instead of failing")
    parser.add_argument("--negatives", type=Path, metavar="FOLDER", help="photos without an object, used as well")
