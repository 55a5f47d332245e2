"""The model card: what a .tflite expects, and what its output means.

The card travels inside the model, as `silhouette.json` in a zip archive at the end of the .tflite. That is
where TFLite Metadata keeps its associated files: the interpreter ignores them, zipfile reads them
(https://ai.google.dev/edge/litert/models/metadata).
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from model.errors import ModelRejected

MEMBER = "silhouette.json"
MEMBER_LIMIT_BYTES = 1 << 20
SIDE_LIMIT_PX = 4096
ACTIVATIONS = ("none", "sigmoid", "softmax", "ids")
FITS = ("stretch", "letterbox")

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ModelCard:
    """What the tensors of a model mean.

    name, version: what answers and reports call it
    labels: a name for each class
    palette: a colour for each class, RGB 0-255
    background: the class that is no object; None when every class is one
    order: "RGB" or "BGR", the order of a colour input's channels
    mean, std: for each channel, or one for all; a float input is (pixel 0-255 - mean) / std
    fit: how a photo meets an input of other proportions: "stretch", or "letterbox" between bars
    fill: the colour of the bars, RGB 0-255
    input_size: width and height for a model that takes any; None for the photo's own
    output: which output is the map, by name or number, when there are several
    output_size: width and height of a map that comes flattened at a size of its own
    activation: what is still to be done to the output: "none", "sigmoid" or "softmax"; "ids" when it is
        class ids already
    threshold: the score from which on a pixel is object, for a model of two classes
    source: where the card came from: "embedded", "metadata" or "inferred"
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
    description: str = ""
    licence: str = ""
    source: str = "inferred"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card from its JSON; what it does not say keeps its default.

        raises: ModelRejected naming the field when one has no sense
        """
        return cls().with_values(values_of(text))

    def with_values(self, values: dict[str, Any]) -> ModelCard:
        """Say some fields anew; a palette that is not said follows the number of labels.

        raises: ModelRejected naming the field when one has no sense
        """
        values = {name: _frozen(value) for name, value in values.items()}
        try:
            if "palette" not in values and len(values.get("labels", self.labels)) != len(self.palette):
                values["palette"] = voc_palette(len(values["labels"]))
            card = replace(self, **values)
            card.check()
        except (TypeError, ValueError) as error:
            raise ModelRejected(f"the model's card has no sense: {error}") from error
        return card

    def check(self) -> None:
        """Hold every field against what it may be.

        raises: ValueError or TypeError naming the field
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
                raise TypeError(f"{name} must be a text")
        if len(self.mean) not in (1, 3) or len(self.std) not in (1, 3) or 0 in self.std:
            raise ValueError("mean and std must have three numbers each, or one for all, none of std 0")
        if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in (*self.mean, *self.std)):
            raise ValueError("mean and std must be numbers")
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, not {self.threshold}")
        self._check_classes()
        self._check_sizes()

    def _check_classes(self) -> None:
        count = len(self.labels)
        if not isinstance(self.labels, tuple) or not 2 <= count <= 256 or len(set(self.labels)) != count:
            raise ValueError("labels must be 2 to 256 different names")
        if not all(isinstance(label, str) for label in self.labels):
            raise TypeError("labels must be texts")
        if self.background is not None and self.background not in range(len(self.labels)):
            raise ValueError(f"background must be the number of a class, or null, not {self.background!r}")
        if len(self.labels) == 2 and self.background is None:
            raise ValueError("background must be 0 or 1 where there are two classes")
        if len(self.palette) != len(self.labels):
            raise ValueError(f"palette has {len(self.palette)} colours for {len(self.labels)} labels")
        for colour in (*self.palette, self.fill):
            if len(colour) != 3 or not all(value in range(256) for value in colour):
                raise ValueError("palette and fill must have three whole numbers from 0 to 255 for each colour")

    def _check_sizes(self) -> None:
        for name in ("input_size", "output_size"):
            size = getattr(self, name)
            if size is not None and (len(size) != 2 or not all(side in range(1, SIDE_LIMIT_PX + 1) for side in size)):
                raise ValueError(f"{name} must be a width and a height of 1 to {SIDE_LIMIT_PX}")
        if not isinstance(self.output, str | int | None):
            raise TypeError("output must be the name or the number of an output")

    def to_json(self) -> str:
        """Write the card as indented JSON, without its source, which depends on who reads it."""
        values = asdict(self)
        del values["source"]
        return json.dumps(values, indent=2)


def read(file: Path) -> ModelCard | None:
    """Read the card inside a .tflite; what it does not say keeps its default.

    returns: None when there is none
    raises: ModelRejected when there is one that has no sense
    """
    values = read_values(file)
    return None if values is None else ModelCard(source="embedded").with_values(values)


def read_values(file: Path) -> dict[str, Any] | None:
    """Read what the card inside a .tflite says.

    returns: None when there is none
    raises: ModelRejected when there is one that is no card
    """
    try:
        text = read_member(file, MEMBER)
    except (UnicodeDecodeError, zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError) as error:
        raise ModelRejected(f"the model's card cannot be read: {error}") from error
    return None if text is None else values_of(text)


def read_member(file: Path, name: str) -> str | None:
    """Read a text from the archive at a model's end.

    returns: None when there is no archive, or nothing of that name in it
    raises: whatever zipfile raises for a damaged one
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


def values_of(text: str) -> dict[str, Any]:
    """Take a card's JSON apart.

    raises: ModelRejected when it is no object, or has fields that nobody knows
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ModelRejected(f"the model's card is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ModelRejected("the model's card must be a JSON object")
    unknown = values.keys() - {field.name for field in fields(ModelCard) if field.name != "source"}
    if unknown:
        raise ModelRejected(f"the model's card has fields that nobody knows: {', '.join(sorted(unknown))}")
    return values


def voc_palette(count: int) -> tuple[Colour, ...]:
    """Give each class a colour that differs: those of PASCAL VOC (Everingham et al. 2010); white for one object."""
    if count == 2:
        return ((0, 0, 0), (255, 255, 255))
    return tuple(_voc_colour(number) for number in range(count))


def _voc_colour(number: int) -> Colour:
    """Spread the number's bits over the three channels, the lowest to the highest bits."""
    red, green, blue = (
        sum((number >> (3 * place + channel) & 1) << (7 - place) for place in range(3)) for channel in range(3)
    )
    return red, green, blue


def embed(file: Path, card: ModelCard) -> None:
    """Put a card into a .tflite that has none, after the model's own bytes.

    raises: ValueError when there is one already
    """
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        if MEMBER in archive.namelist():
            raise ValueError(f"{file.name} has a card already")
        archive.writestr(zipfile.ZipInfo(MEMBER, (1980, 1, 1, 0, 0, 0)), card.to_json())


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
