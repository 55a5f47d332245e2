"""The options of one request: their names, values and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from model.errors import BadOption
from model.tflite.card import ModelCard

OPTION_NAMES = ("output", "threshold", "size", "class", "format")
OUTPUT_NAMES = ("mask", "probability", "overlay", "cutout", "json")  # outputs.OUTPUTS has a function for each
PHOTO_OUTPUTS = ("overlay", "cutout")  # they show the photo, and can have any of FORMATS
SIZES = ("photo", "model")
FORMATS = ("png", "webp", "jpeg")
SHOWN_CHARS = 40  # of an invalid name or value, in the error message


class Options(NamedTuple):
    """The options of one request.

    Attributes:
        output: One of OUTPUT_NAMES.
        threshold: The score from which a pixel belongs to the object, above 0 and at most 1.
        size: One of SIZES: the output has the size of the photo, or that of the model's output.
        class_id: The only class to output; None for all.
        format: One of FORMATS: the file format of an output in PHOTO_OUTPUTS; others are PNG or JSON.
    """

    output: str
    threshold: float
    size: str
    class_id: int | None
    format: str = "png"

    @classmethod
    def parse(cls, values: Mapping[str, str], card: ModelCard) -> Options:
        """Parse options, such as those of a query string.

        Args:
            values: The options by name; missing ones have the default.
            card: The model's card, which has the default threshold and the names of the classes.

        Returns:
            The options.

        Raises:
            BadOption: If a name is unknown or a value is invalid.
        """
        for name in values:
            if name not in OPTION_NAMES:
                raise BadOption(f"unknown option {name[:SHOWN_CHARS]!r}; the options are {', '.join(OPTION_NAMES)}")
        label = values.get("class")
        output = _choice("output", values.get("output", "mask"), OUTPUT_NAMES)
        file_format = _choice("format", values.get("format", "png"), FORMATS)
        if file_format != "png" and output not in PHOTO_OUTPUTS:
            raise BadOption(
                f"format={file_format} is for output={' and '.join(PHOTO_OUTPUTS)}; leave it out for {output}"
            )
        return cls(
            output=output,
            threshold=_threshold(values["threshold"]) if "threshold" in values else card.threshold,
            size=_choice("size", values.get("size", "photo"), SIZES),
            class_id=None if label is None else card.labels.index(_choice("class", label, card.labels)),
            format=file_format,
        )


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise BadOption(f"{name} must be one of {', '.join(choices)}, not {value[:SHOWN_CHARS]!r}")
    return value


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise BadOption(f"threshold must be a number greater than 0 and at most 1, not {text[:SHOWN_CHARS]!r}")
    return value
