"""The model card: how a photo becomes the input of a .tflite, and what its output means.

The card is embedded in the model: `silhouette.json` in a zip archive at the end of the .tflite, where TFLite Metadata
keeps its associated files. The interpreter ignores the archive (https://ai.google.dev/edge/litert/models/metadata).
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from model.errors import ModelRejected

MEMBER = "silhouette.json"
MEMBER_LIMIT_BYTES = 1 << 20
SIDE_LIMIT_PX = 4096
ACTIVATIONS = ("none", "sigmoid", "softmax", "ids")
FITS = ("stretch", "letterbox")
LATER_FIELDS = {"thresholds": None, "border": 0}  # that version 1 does not know, with their defaults

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ModelCard:
    """How to use a model's tensors, and how to name it.

    Attributes:
        name: Name of the model, in responses and reports.
        version: Version of the model.
        labels: Name of each class, 2 to 256.
        palette: Colour of each class, RGB, 0 to 255.
        background: Class id of the background; None if every class is an object.
        order: Channel order of a colour input: "RGB" or "BGR".
        mean: Subtracted from a pixel of 0 to 255: three numbers, one per channel, or one for all.
        std: Divides the difference: float input = (pixel - mean) / std.
        fit: How a photo fills an input of other proportions: "stretch", or "letterbox" (between bars).
        fill: Colour of the bars, RGB, 0 to 255.
        input_size: Width and height of the input, for a model of any input size; None for the photo's own.
        output: Name or index of the output that holds the segmentation, for a model of several outputs.
        output_size: Width and height of a flattened output, if they are not those of the input.
        activation: What the output still needs: "none", "sigmoid" or "softmax"; "ids" if it holds class ids.
        threshold: Score, above 0 to 1, from which on a pixel is object, for a model of two classes.
        thresholds: The same for each class but the background, for a model of several scores that are independent of
            each other and without a channel for the background; None for `threshold` for each.
        border: Pixels on each side of the input that the output does not cover, as in a network with valid padding.
        description: What the model segments.
        licence: Licence of the model.
        source: Origin of the card as a whole: "embedded", "known", "metadata" or "inferred".
    """

    name: str = "model"
    version: str = "0"
    labels: tuple[str, ...] = ("background", "object")
    palette: tuple[Colour, ...] = ((0, 0, 0), (255, 255, 255))
    background: int | None = 0
    order: str = "RGB"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (255.0, 255.0, 255.0)
    fit: str = "stretch"
    fill: Colour = (0, 0, 0)
    input_size: tuple[int, int] | None = None
    output: str | int | None = None
    output_size: tuple[int, int] | None = None
    activation: str = "none"
    threshold: float = 0.5
    thresholds: tuple[float, ...] | None = None
    border: int = 0
    description: str = ""
    licence: str = ""
    source: str = "inferred"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Parse a card; absent fields have their defaults.

        Args:
            text: JSON.

        Raises:
            ModelRejected: If it is not a JSON object, or a field is unknown or invalid; the message names the field.
        """
        return cls().with_values(parse_values(text))

    def with_values(self, values: dict[str, Any]) -> ModelCard:
        """Return the card with some fields replaced; without a palette, one that fits the number of labels is used.

        Args:
            values: Values by field name, as parsed from JSON.

        Raises:
            ModelRejected: If a field is invalid; the message names the field.
        """
        values = {name: _to_tuples(value) for name, value in values.items()}
        try:
            if "palette" not in values and len(values.get("labels", self.labels)) != len(self.palette):
                values["palette"] = voc_palette(len(values["labels"]))
            card = replace(self, **values)
            card._check()
        except (TypeError, ValueError) as error:
            raise ModelRejected(f"invalid model card: {error}") from error
        return card

    def _check(self) -> None:
        """Check the values of all fields.

        Raises:
            ValueError, TypeError: If a field is invalid; the message names the field.
        """
        for name, value, choices in (
            ("order", self.order, ("RGB", "BGR")),
            ("activation", self.activation, ACTIVATIONS),
            ("fit", self.fit, FITS),
        ):
            if value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        for name in ("name", "version", "description", "licence"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a string")
        if len(self.mean) not in (1, 3) or len(self.std) not in (1, 3) or 0 in self.std:
            raise ValueError(
                "mean and std must have three numbers each, or one for all channels, and std must not be 0"
            )
        if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in (*self.mean, *self.std)):
            raise ValueError("mean and std must be finite numbers")
        for threshold in (self.threshold, *(self.thresholds or ())):
            if not 0 < threshold <= 1:
                raise ValueError(f"threshold must be above 0 and at most 1, not {threshold}")
        if self.thresholds is not None and len(self.thresholds) != len(self.labels) - 1:
            raise ValueError(
                f"thresholds must be {len(self.labels) - 1} numbers, one for each class but the background"
            )
        self._check_classes()
        self._check_sizes()

    def _check_classes(self) -> None:
        count = len(self.labels)
        if not isinstance(self.labels, tuple) or not 2 <= count <= 256 or len(set(self.labels)) != count:
            raise ValueError("labels must be 2 to 256 different names")
        if not all(isinstance(label, str) for label in self.labels):
            raise TypeError("labels must be strings")
        if self.background is not None and self.background not in range(len(self.labels)):
            raise ValueError(f"background must be a class id or null, not {self.background!r}")
        if len(self.labels) == 2 and self.background is None:
            raise ValueError("background must be 0 or 1 for two classes")
        if len(self.palette) != len(self.labels):
            raise ValueError(f"palette has {len(self.palette)} colours for {len(self.labels)} labels")
        for colour in (*self.palette, self.fill):
            if len(colour) != 3 or not all(value in range(256) for value in colour):
                raise ValueError("each colour of palette and fill must be three integers from 0 to 255")

    def _check_sizes(self) -> None:
        for name in ("input_size", "output_size"):
            size = getattr(self, name)
            if size is not None and (len(size) != 2 or not all(side in range(1, SIDE_LIMIT_PX + 1) for side in size)):
                raise ValueError(f"{name} must be a width and a height, each from 1 to {SIDE_LIMIT_PX}")
        if self.border not in range(SIDE_LIMIT_PX // 2):
            raise ValueError(f"border must be a number of pixels from 0 to {SIDE_LIMIT_PX // 2 - 1}, not {self.border}")
        if not isinstance(self.output, str | int | None):
            raise TypeError("output must be the name or the index of an output")

    def to_json(self, names: Collection[str] | None = None) -> str:
        """Return the card as indented JSON, without `source`, which is not part of the file.

        Args:
            names: Names of the fields to write. If None, all of version 1, and the later ones that are not at their
                defaults, so that functions of version 1 read the cards that they can apply.
        """
        values = asdict(self)
        del values["source"]
        if names is None:
            names = [name for name in values if name not in LATER_FIELDS or values[name] != LATER_FIELDS[name]]
        return json.dumps({name: value for name, value in values.items() if name in names}, indent=2)


def read(file: Path) -> ModelCard | None:
    """Read the card embedded in a .tflite; absent fields have their defaults.

    Returns:
        The card; None if the file has none.

    Raises:
        ModelRejected: If the card is invalid or cannot be read.
    """
    values = read_values(file)
    return None if values is None else ModelCard(source="embedded").with_values(values)


def read_values(file: Path) -> dict[str, Any] | None:
    """Read the values that the card embedded in a .tflite states.

    Returns:
        Values by field name, not validated; None if the file has no card.

    Raises:
        ModelRejected: If the card cannot be read, is not a JSON object, or has unknown fields.
    """
    try:
        text = read_member(file, MEMBER)
    except (UnicodeDecodeError, zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError) as error:
        raise ModelRejected(f"invalid model card: {MEMBER} in the model cannot be read: {error}") from error
    return None if text is None else parse_values(text)


def read_member(file: Path, name: str) -> str | None:
    """Read a text file from the archive at the end of a model.

    Args:
        file: The .tflite.
        name: Name of the file in the archive.

    Returns:
        At most MEMBER_LIMIT_BYTES of the text; None if there is no archive, or no such file in it.

    Raises:
        BadZipFile, zlib.error, OSError, RuntimeError, EOFError: If the archive is damaged.
        UnicodeDecodeError: If the file is not UTF-8.
    """
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        return None
    with archive:
        if name not in archive.namelist():
            return None
        with archive.open(name) as stream:
            return stream.read(MEMBER_LIMIT_BYTES).decode()


def parse_values(text: str) -> dict[str, Any]:
    """Parse a card's JSON to values by field name.

    Raises:
        ModelRejected: If it is not a JSON object, or has unknown fields.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ModelRejected(f"invalid model card: it is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ModelRejected("invalid model card: it must be a JSON object")
    unknown = values.keys() - {field.name for field in fields(ModelCard) if field.name != "source"}
    if unknown:
        raise ModelRejected(f"invalid model card: unknown fields: {', '.join(sorted(unknown))}")
    return values


def voc_palette(count: int) -> tuple[Colour, ...]:
    """Return a different colour for each class: those of PASCAL VOC (Everingham et al. 2010); white for one object.

    Args:
        count: Number of classes, at most 256.
    """
    if count == 2:
        return ((0, 0, 0), (255, 255, 255))
    return tuple(_voc_colour(number) for number in range(count))


def _voc_colour(number: int) -> Colour:
    """Distribute the bits of a class id over the three channels, the lowest bits to the highest."""
    red, green, blue = (
        sum((number >> (3 * place + channel) & 1) << (7 - place) for place in range(3)) for channel in range(3)
    )
    return red, green, blue


def embed(file: Path, card: ModelCard, names: Collection[str] | None = None) -> None:
    """Embed a card in a .tflite, in the archive at its end.

    Args:
        file: The .tflite, which is changed in place.
        card: The card.
        names: Names of the fields to embed, as for `to_json`.

    Raises:
        ValueError: If the file has a card.
    """
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        if MEMBER in archive.namelist():
            raise ValueError(f"{file.name} already has a card")
        archive.writestr(zipfile.ZipInfo(MEMBER, (1980, 1, 1, 0, 0, 0)), card.to_json(names))


def _to_tuples(value: Any) -> Any:
    return tuple(_to_tuples(item) for item in value) if isinstance(value, list) else value
