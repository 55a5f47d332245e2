"""The model card: what a .tflite expects, and what its output means.

The card travels inside the model, as `silhouette.json` in a zip archive at the end of the .tflite. That is
where TFLite Metadata keeps its associated files: the interpreter ignores them, zipfile reads them
(https://ai.google.dev/edge/litert/models/metadata).
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from model.errors import ModelRejected

MEMBER = "silhouette.json"
ACTIVATIONS = ("none", "sigmoid", "softmax")

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ModelCard:
    """What the tensors of a model mean.

    name, version: what answers and reports call it
    labels: a name for each class; class 0 is the background
    palette: a colour for each class, RGB 0-255
    order: "RGB" or "BGR", the order of the input's channels
    mean, std: for each channel; a float input is (pixel 0-255 - mean) / std
    activation: what is still to be done to the output: "none", "sigmoid" or "softmax"
    threshold: the score from which on a pixel is object, for a model of two classes
    source: where the card came from: "embedded" or "inferred"
    """

    name: str = "model"
    version: str = "0"
    labels: tuple[str, ...] = ("background", "object")
    palette: tuple[Colour, ...] = ((0, 0, 0), (255, 255, 255))
    order: str = "RGB"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (255.0, 255.0, 255.0)
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
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ModelRejected(f"the model's card is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise ModelRejected("the model's card must be a JSON object")
        unknown = values.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ModelRejected(f"the model's card has fields that nobody knows: {', '.join(sorted(unknown))}")
        try:
            card = cls(**{name: _frozen(value) for name, value in values.items()})
            card.check()
        except (TypeError, ValueError) as error:
            raise ModelRejected(f"the model's card has no sense: {error}") from error
        return card

    def check(self) -> None:
        """Hold every field against what it may be.

        raises: ValueError or TypeError naming the field
        """
        if self.order not in ("RGB", "BGR"):
            raise ValueError(f"order must be RGB or BGR, not {self.order!r}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        if len(self.mean) != 3 or len(self.std) != 3 or not all(value != 0 for value in self.std):
            raise ValueError("mean and std must have three numbers each, none of std 0")
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, not {self.threshold}")
        if not 2 <= len(self.labels) <= 256 or len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must be 2 to 256 different names")
        if len(self.palette) != len(self.labels):
            raise ValueError(f"palette has {len(self.palette)} colours for {len(self.labels)} labels")
        if not all(len(colour) == 3 and all(0 <= value <= 255 for value in colour) for colour in self.palette):
            raise ValueError("palette must have three numbers from 0 to 255 for each class")

    def to_json(self) -> str:
        """Write the card as indented JSON, without its source, which depends on who reads it."""
        values = asdict(self)
        del values["source"]
        return json.dumps(values, indent=2)


def read(file: Path) -> ModelCard | None:
    """Read the card inside a .tflite.

    returns: None when there is none
    raises: ModelRejected when there is one that has no sense
    """
    try:
        with zipfile.ZipFile(file) as archive:
            text = archive.read(MEMBER).decode()
    except (zipfile.BadZipFile, KeyError):
        return None
    except (UnicodeDecodeError, OSError, RuntimeError, NotImplementedError) as error:
        raise ModelRejected(f"the model's card cannot be read: {error}") from error
    return replace(ModelCard.from_json(text), source="embedded")


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
