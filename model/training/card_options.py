"""The options that say what a model's tensors mean, and the card they make."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.tflite.card import ACTIVATIONS, Colour, ModelCard, voc_palette
from model.training.cli import CommandError

Infer = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the card to a step's parser."""
    group = parser.add_argument_group("the model's card", "what is not given comes from --card, else from its defaults")
    group.add_argument(
        "--card", type=Path, metavar="FILE.json", help="a card to begin with; card.json beside the model"
    )
    group.add_argument("--name", help="what answers and reports call the model")
    group.add_argument("--version")
    group.add_argument("--order", choices=("RGB", "BGR"), help="of the input's channels; cv2.imread gives BGR")
    group.add_argument("--mean", type=numbers, metavar="M[,M,M]", help="subtracted from pixels of 0-255, default 0")
    group.add_argument("--std", type=numbers, metavar="S[,S,S]", help="divides them after that, default 255")
    group.add_argument("--classes", type=names, metavar="A,B,...", help="names by class id, the background included")
    group.add_argument("--palette", type=colours, metavar="RRGGBB,...", help="a colour for each class")
    group.add_argument("--activation", choices=("auto", *ACTIVATIONS), help="what is still to be done to the output")
    group.add_argument("--threshold", type=float, help="score from which on a pixel is object, of two classes")
    group.add_argument("--description")
    group.add_argument("--licence")


def numbers(text: str) -> tuple[float, float, float]:
    """Read one number for three channels, or three."""
    values = [float(part) for part in text.replace(" ", ",").split(",") if part]
    if len(values) not in (1, 3):
        raise argparse.ArgumentTypeError(f"one number or three, not {len(values)}")
    return tuple(values * 3)[:3]  # type: ignore[return-value]


def names(text: str) -> tuple[str, ...]:
    """Read names parted by commas."""
    return tuple(part.strip() for part in text.split(","))


def colours(text: str) -> tuple[Colour, ...]:
    """Read colours of six hexadecimal digits, parted by commas."""
    values = [bytes.fromhex(part.strip().removeprefix("#")) for part in text.split(",")]
    if any(len(value) != 3 for value in values):
        raise argparse.ArgumentTypeError("six hexadecimal digits for each colour")
    return tuple((value[0], value[1], value[2]) for value in values)


def card(args: argparse.Namespace, model: Path, classes: int) -> ModelCard:
    """Make the card that the options describe; its activation is "none" until settle says better.

    classes: channels of the model's output
    raises: CommandError when the options contradict each other or the model, ModelRejected for a broken --card
    """
    beside = model.parent / "card.json"
    file = args.card or (beside if beside.is_file() else None)
    base = ModelCard.from_json(file.read_text()) if file else ModelCard(name=model.stem)
    fields = ("name", "version", "order", "mean", "std", "threshold", "description", "licence", "palette")
    given = {field: getattr(args, field) for field in fields if getattr(args, field) is not None}
    count = max(2, classes)
    labels = args.classes or (base.labels if len(base.labels) == count else default_labels(count))
    if len(labels) != count:
        raise CommandError(f"--classes names {len(labels)} classes ({', '.join(labels)}); the model has {count}")
    if "palette" not in given and len(base.palette) != count:
        given["palette"] = voc_palette(count)
    activation = args.activation if args.activation in ACTIVATIONS else base.activation
    made = replace(base, labels=labels, activation=activation, **given)
    try:
        made.check()
    except (TypeError, ValueError) as error:
        raise CommandError(f"the card has no sense: {error}") from error
    return made


def wants_settling(args: argparse.Namespace) -> bool:
    """Tell whether nobody said what is to be done to the output."""
    return args.activation in (None, "auto") and args.card is None


def settle(card: ModelCard, infer: Infer, size_wh: tuple[int, int]) -> ModelCard:
    """Find the activation by what the model says of noise: scores of 0 to 1 need none, anything else is logits.

    infer: the model, from float32 (1, h, w, 3) to float32 (1, h', w', K)
    """
    mean, std = np.array(card.mean, np.float32), np.array(card.std, np.float32)
    rng = np.random.default_rng(0)
    outputs = [
        infer((rng.integers(0, 256, (1, size_wh[1], size_wh[0], 3)).astype(np.float32) * gain - mean) / std)
        for gain in (0.1, 1.0)
    ]
    scores = np.concatenate([output.reshape(-1, output.shape[-1]) for output in outputs])
    inside = scores.min() >= -1e-3 and scores.max() <= 1 + 1e-3
    if inside and (scores.shape[-1] == 1 or np.abs(scores.sum(-1) - 1).max() < 1e-2):
        return replace(card, activation="none")
    return replace(card, activation="sigmoid" if scores.shape[-1] == 1 else "softmax")


def default_labels(count: int) -> tuple[str, ...]:
    """Name the classes of a model that nobody named."""
    return ("background", "object") if count == 2 else ("background", *(f"class {i}" for i in range(1, count)))
