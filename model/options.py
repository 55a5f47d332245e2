"""What a caller may ask of one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.errors import BadOption
from model.tflite.card import ModelCard

OUTPUTS = ("mask", "probability", "overlay", "cutout", "json")
SIZES = ("photo", "model")
NAMES = ("output", "threshold", "size", "class")


@dataclass(frozen=True)
class Options:
    """One request's options.

    output: one of OUTPUTS
    threshold: score from which on a pixel is object, above 0 and at most 1
    size: "photo", or "model" for the mask as the model sees it
    class_id: the one class that the answer is about; None for all
    """

    output: str
    threshold: float
    size: str
    class_id: int | None

    @classmethod
    def parse(cls, values: Mapping[str, str], card: ModelCard) -> Options:
        """Read options from strings, what is missing from the model's card.

        raises: BadOption
        """
        for name in values:
            if name not in NAMES:
                raise BadOption(f"there is no option {name[:40]!r}; the options are {', '.join(NAMES)}")
        label = values.get("class")
        return cls(
            output=_one_of("output", values.get("output", "mask"), OUTPUTS),
            threshold=_threshold(values["threshold"]) if "threshold" in values else card.threshold,
            size=_one_of("size", values.get("size", "photo"), SIZES),
            class_id=None if label is None else card.labels.index(_one_of("class", label, card.labels)),
        )


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise BadOption(f"{name} must be one of {', '.join(choices)}; it was {value[:40]!r}")
    return value


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise BadOption(f"threshold must be a number above 0 and at most 1; it was {text[:40]!r}")
    return value
