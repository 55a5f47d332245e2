"""The command-line options that describe a model's input and output."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from model.tflite import infer_card
from model.tflite.card import ACTIVATIONS, FITS, Colour
from model.training import normalization

FIELDS = ("name", "version", "fit", "border", "background", "palette", "description", "licence")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the card to a command's parser."""
    group = parser.add_argument_group("model card", "what is not stated is found out, or assumed and printed")
    group.add_argument(
        "--card", type=Path, metavar="FILE.json", help="card to start from; default: card.json beside the model"
    )
    group.add_argument("--name", help="model name, shown in responses and reports")
    group.add_argument("--version", help="model version, shown in responses and reports")
    _add_input_arguments(group)
    group.add_argument(
        "--classes", type=names, metavar="A,B,...|@FILE", help="names by class id, with the background; @ a line each"
    )
    group.add_argument(
        "--background", metavar="NAME|INDEX|none", help="class that is no object; default: the class named background"
    )
    group.add_argument("--palette", type=colours, metavar="RRGGBB,...", help="a colour for each class")
    group.add_argument(
        "--activation", choices=("auto", *ACTIVATIONS), help="still to be applied to the output; auto infers it"
    )
    group.add_argument(
        "--threshold",
        type=thresholds,
        metavar="T[,T,...]",
        help="lowest score of an object pixel, for two classes; or of each object class, for independent scores",
    )
    group.add_argument("--description", help="free text")
    group.add_argument("--licence", help="free text")


def _add_input_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--preprocess", choices=tuple(normalization.PRESETS), help="what the training did to pixel values of 0-255"
    )
    group.add_argument("--order", choices=("RGB", "BGR"), help="of the input's channels; cv2.imread returns BGR")
    group.add_argument("--mean", type=numbers, metavar="M[,M,M]", help="subtracted from pixel values of 0-255")
    group.add_argument("--std", type=numbers, metavar="S[,S,S]", help="divides the difference")
    group.add_argument("--fit", choices=FITS, help="how a photo of other proportions fills the input")
    group.add_argument("--fill", type=colours, metavar="RRGGBB", help="colour of the bars of --fit letterbox")
    group.add_argument(
        "--border", type=int, metavar="PX", help="pixels on each side of the input that the output does not cover"
    )


def numbers(text: str) -> tuple[float, float, float]:
    """Parse three numbers, or one number for three channels.

    Args:
        text: Numbers separated by commas or spaces.

    Returns:
        The three numbers.

    Raises:
        argparse.ArgumentTypeError: If there are not one or three.
    """
    values = [float(part) for part in text.replace(" ", ",").split(",") if part]
    if len(values) not in (1, 3):
        raise argparse.ArgumentTypeError(f"expected one number or three, got {len(values)}")
    return tuple(values * 3)[:3]  # type: ignore[return-value]


def names(text: str) -> tuple[str, ...]:
    """Parse names separated by commas, or read them from a file, one a line, if the text is @ and its name.

    Raises:
        argparse.ArgumentTypeError: If the file cannot be read.
    """
    if not text.startswith("@"):
        return tuple(part.strip() for part in text.split(","))
    try:
        lines = Path(text[1:]).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {text[1:]}: {error}") from error
    return tuple(line.strip() for line in lines if line.strip())


def thresholds(text: str) -> tuple[float, ...]:
    """Parse one or more thresholds separated by commas."""
    return tuple(float(part) for part in text.split(","))


def size(text: str) -> tuple[int, int]:
    """Parse a width and a height in pixels, such as "320x240", or one number for both.

    Raises:
        argparse.ArgumentTypeError: If it is neither.
    """
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT or one number of pixels, got {text!r}")
    return int(parts[0]), int(parts[-1])


def colours(text: str) -> tuple[Colour, ...]:
    """Parse colours of six hexadecimal digits, separated by commas.

    Args:
        text: The colours, such as "000000,#ff0000".

    Returns:
        RGB, 0 to 255, for each.

    Raises:
        argparse.ArgumentTypeError: If a colour does not have six digits.
    """
    values = [bytes.fromhex(part.strip().removeprefix("#")) for part in text.split(",")]
    if any(len(value) != 3 for value in values):
        raise argparse.ArgumentTypeError("expected six hexadecimal digits for each colour")
    return tuple((value[0], value[1], value[2]) for value in values)


def stated_by(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Return the card's fields that the options state.

    Args:
        args: The command line.

    Returns:
        The fields, where `background` may still be a name, and a note, which may be empty.

    Raises:
        CommandError: If the options contradict each other.
    """
    values, note = normalization.stated_by(args)
    values |= {field: getattr(args, field) for field in FIELDS if getattr(args, field) is not None}
    if args.classes is not None:
        values["labels"] = args.classes
    if args.activation in ACTIVATIONS:
        values["activation"] = args.activation
    if args.fill is not None:
        values["fill"] = args.fill[0]
    if args.threshold is not None:
        values |= {"threshold": args.threshold[0]} if len(args.threshold) == 1 else {"thresholds": args.threshold}
    return values, note


def default_labels(count: int) -> tuple[str, ...]:
    """Return labels for a number of classes: "background", then "object" or "class 1" and so on."""
    return infer_card.numbered_labels(count)
