"""The command-line options on how to load a Keras model or SavedModel."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.training.nets.keras_files import LoadOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command's parser."""
    group = parser.add_argument_group("Keras model or SavedModel")
    add_output(group)
    group.add_argument("--signature", metavar="NAME", help="signature of a SavedModel; default: serving_default")
    group.add_argument(
        "--custom-objects", metavar="FILE.py|MODULE", help="file or installed module that defines the custom layers"
    )


def add_output(parser: argparse._ActionsContainer) -> None:
    """Add the option --output."""
    parser.add_argument(
        "--output", type=output, metavar="NAME|INDEX", help="output that holds the segmentation; default: by its shape"
    )


def output(text: str) -> str | int:
    """Parse the name or the index of an output."""
    return int(text) if text.isdecimal() else text


def load_options(args: argparse.Namespace) -> LoadOptions:
    """Return the options of the command line."""
    from model.training.nets.keras_files import LoadOptions

    classes = len(args.classes) if args.classes else None
    return LoadOptions(args.output, classes, args.signature, args.custom_objects)
