"""How the pixels of a photo become the input of a model: the options that state it, checks, and words for it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from model.tflite.card import ModelCard
from model.training.cli import CommandError

Fields = dict[str, Any]

# Card fields for the preprocessing functions that frameworks have; mean and std are in the units of pixels of 0-255.
PRESETS: dict[str, Fields] = {
    "none": {"mean": (0.0,) * 3, "std": (1.0,) * 3},
    "0-1": {"mean": (0.0,) * 3, "std": (255.0,) * 3},
    "minus1-1": {"mean": (127.5,) * 3, "std": (127.5,) * 3},
    "imagenet": {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)},
    "caffe": {"order": "BGR", "mean": (103.939, 116.779, 123.68), "std": (1.0,) * 3},
}
ADVICE = "give both in units of pixel values of 0-255, or use --preprocess none, 0-1, minus1-1, imagenet or caffe"


def stated_by(args: argparse.Namespace) -> tuple[Fields, str]:
    """Return the fields `order`, `mean` and `std` that the options state.

    Args:
        args: The command line.

    Returns:
        The fields, and a note if the numbers were converted from units of 0-1, otherwise empty.

    Raises:
        CommandError: If the options contradict each other, or their meaning is not clear.
    """
    order: Fields = {} if args.order is None else {"order": args.order}
    if args.preprocess is not None:
        preset = PRESETS[args.preprocess]
        if args.mean is not None or args.std is not None:
            raise CommandError(f"--preprocess {args.preprocess} sets mean and std; leave out --mean and --std, or it")
        if "order" in preset and args.order not in (None, preset["order"]):
            raise CommandError(f"--preprocess {args.preprocess} is for {preset['order']}; leave out --order")
        return order | preset, ""
    if args.mean is None and args.std is None:
        return order, ""
    if args.std is None:
        raise CommandError("--mean also needs --std, by which the difference is divided; --std 1 leaves it as it is")
    mean = args.mean or (0.0,) * 3
    if in_units_of_one(mean, args.std):
        mean, std = (tuple(round(value * 255, 6) for value in numbers) for numbers in (mean, args.std))
        note = f"--mean and --std are in units of 0-1; in those of 0-255 they are {text(mean)} and {text(std)}"
        return {**order, "mean": mean, "std": std}, note
    return {**order, "mean": mean, "std": args.std}, ""


def in_units_of_one(mean: Sequence[float], std: Sequence[float]) -> bool:
    """Return whether mean and std are those of pixel values of 0-1, as PyTorch's documentation gives them.

    Raises:
        CommandError: If one seems to be of 0-1 and the other of 0-255.
    """
    small_mean = all(abs(value) <= 1 for value in mean) and any(mean)
    small_std = all(0 < abs(value) < 1 for value in std)
    if small_mean and small_std:
        return True
    if small_mean or small_std:
        raise CommandError(f"the mean {text(mean)} and the std {text(std)} are not in the same units; {ADVICE}")
    return False


def check_card_file(values: Fields, name: str) -> None:
    """Check the mean and std of a card file.

    Args:
        values: Its values.
        name: Its name, for messages.

    Raises:
        CommandError: If it has one without the other, or they are in units of 0-1.
    """
    if ("mean" in values) != ("std" in values):
        raise CommandError(f"{name} states only one of mean and std; state both")
    numbers = [[value] if isinstance(value, int | float) else value for value in map(values.get, ("mean", "std"))]
    if "mean" in values and in_units_of_one(*numbers):  # type: ignore[arg-type]
        raise CommandError(f"the mean and std of {name} are in units of 0-1; multiply them by 255")


def words(card: ModelCard, channels: int = 3) -> str:
    """Return a card's normalization in words, such as "RGB, pixel / 255"."""
    order = "grey" if channels == 1 else card.order
    for name, preset in PRESETS.items():
        if (card.mean, card.std) == (preset["mean"], preset["std"]) and name in ("imagenet", "caffe"):
            return f"{order}, (pixel - {text(card.mean)}) / {text(card.std)}, as {name}"
    pixel = f"(pixel - {text(card.mean)})" if any(card.mean) else "pixel"
    return f"{order}, {pixel}" + (f" / {text(card.std)}" if set(card.std) != {1} else "")


def text(numbers: Sequence[float]) -> str:
    """Return three numbers separated by commas, or one if they are equal."""
    values = [f"{number:g}" for number in numbers]
    return values[0] if len(set(values)) == 1 else f"({', '.join(values)})"


def check_input_range(card: ModelCard, takes: tuple[float, float], reason: str) -> None:
    """Check that a card's normalization gives a model the range of values that it takes.

    Args:
        card: The card.
        takes: The lowest and the highest value that the model takes for a pixel.
        reason: How that is known, for the message.

    Raises:
        CommandError: If it gives another range.
    """
    tolerance = 0.3 * (takes[1] - takes[0])
    for mean, std in np.broadcast(card.mean, card.std):
        given = (-mean / std, (255 - mean) / std)
        if any(abs(end - wanted) > tolerance for end, wanted in zip(given, takes, strict=True)):
            preset = "none" if takes[1] == 255 else "0-1"
            raise CommandError(
                f"{reason}, so it takes {takes[0]:g} to {takes[1]:g}, but the normalization {words(card)} gives it"
                f" {given[0]:.3g} to {given[1]:.3g}; use --preprocess {preset}, or state no normalization"
            )
