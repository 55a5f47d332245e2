"""The command-line options that describe a model's input and output, and the model card made from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model.image import preprocess
from model.tflite import infer_card
from model.tflite.card import ACTIVATIONS, Colour, ModelCard
from model.tflite.infer_card import ProducerOp
from model.tflite.tensor_specs import InputSpec, OutputSpec
from model.training.cli import CommandError

FIELDS = ("name", "version", "order", "mean", "std", "palette", "threshold", "description", "licence")


class FloatInference(Protocol):
    """A model as a function from float32 of the input's axes to (1, h', w', classes) scores or class ids."""

    @property
    def input(self) -> InputSpec:
        """Spec of the input."""

    @property
    def output(self) -> OutputSpec:
        """Spec of the output."""

    @property
    def classes(self) -> int:
        """Channels of the output."""

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[Any]:
        """Run the model once."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the card to a command's parser."""
    group = parser.add_argument_group("model card", "defaults are those of --card, or else those of a new card")
    group.add_argument(
        "--card", type=Path, metavar="FILE.json", help="card to start from; default: card.json beside the model"
    )
    group.add_argument("--name", help="model name, shown in responses and reports")
    group.add_argument("--version", help="model version, shown in responses and reports")
    group.add_argument("--order", choices=("RGB", "BGR"), help="of the input's channels; cv2.imread returns BGR")
    group.add_argument(
        "--mean", type=numbers, metavar="M[,M,M]", help="subtracted from pixel values of 0-255, default 0"
    )
    group.add_argument("--std", type=numbers, metavar="S[,S,S]", help="divides the difference, default 255")
    group.add_argument("--classes", type=names, metavar="A,B,...", help="names by class id, with the background")
    group.add_argument("--palette", type=colours, metavar="RRGGBB,...", help="a colour for each class")
    group.add_argument(
        "--activation", choices=("auto", *ACTIVATIONS), help="still to be applied to the output; auto infers it"
    )
    group.add_argument("--threshold", type=float, help="lowest score of an object pixel, for two classes")
    group.add_argument("--description", help="free text")
    group.add_argument("--licence", help="free text")


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
    """Parse names separated by commas."""
    return tuple(part.strip() for part in text.split(","))


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


def card_values(args: argparse.Namespace) -> dict[str, Any]:
    """Return the card's fields that the options set."""
    values = {field: getattr(args, field) for field in FIELDS if getattr(args, field) is not None}
    if args.classes is not None:
        values["labels"] = args.classes
    if args.activation in ACTIVATIONS:
        values["activation"] = args.activation
    return values


def build_card(args: argparse.Namespace, file: Path, classes: int) -> ModelCard:
    """Return the card that the options describe.

    Args:
        args: The command line.
        file: The model's file, beside which a card.json may be, and whose name is the default name.
        classes: Channels of the model's output.

    Returns:
        The card. Its activation is "none" if neither the options nor --card set it.

    Raises:
        CommandError: If the number of labels does not fit the model.
        ModelRejected: If a value is invalid.
    """
    beside = file.parent / "card.json"
    start = args.card or (beside if beside.is_file() else None)
    base = ModelCard.from_json(start.read_text()) if start else ModelCard(name=file.stem)
    values, count = card_values(args), max(2, classes)
    if len(values.get("labels", ())) not in (0, count):
        labels = values["labels"]
        raise CommandError(f"--classes has {len(labels)} classes ({', '.join(labels)}), but the model has {count}")
    if "labels" not in values and len(base.labels) != count:
        values["labels"] = default_labels(count)
    return base.with_values(values)


def complete_card(args: argparse.Namespace, file: Path, model: FloatInference) -> ModelCard:
    """Return the card that the options describe, with the activation inferred if they leave it open.

    Args:
        args: The command line.
        file: The model's file.
        model: The model.

    Returns:
        The complete card.

    Raises:
        CommandError: If the number of labels does not fit the model.
        ModelRejected: If a value is invalid.
    """
    card = build_card(args, file, model.classes)
    return card.with_values({"activation": infer_activation(card, model)}) if must_infer_activation(args) else card


def must_infer_activation(args: argparse.Namespace) -> bool:
    """Return whether neither --activation nor --card sets the activation."""
    return args.activation in (None, "auto") and args.card is None


def infer_activation(card: ModelCard, model: FloatInference) -> str:
    """Infer the activation from the model's output for test images, as the function does for a .tflite."""
    spec = model.input.as_float()

    def infer(image: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
        size_wh = spec.size_for((image.shape[1], image.shape[0]))
        return np.asarray(model(preprocess.to_input(image, size_wh, card, spec))[0], np.float32)

    return infer_card.activation(model.output, ProducerOp(), card, infer, spec.max_wh)


def default_labels(count: int) -> tuple[str, ...]:
    """Return labels for a number of classes: "background", then "object" or "class 1" and so on."""
    return infer_card.numbered_labels(count)
