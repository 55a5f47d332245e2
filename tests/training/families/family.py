"""A model family: how its model is made, and what its users tell the project's commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNCOVERED = 255  # in an answer: pixels for which the model has none

Answer = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True)
class Step:
    """A next step that a refusal names, to be tried.

    Attributes:
        message: A regular expression that the refusal must match.
        options: The options to give instead.
        file: The file to give instead; None for the same.
        write: Whether the step is `describe --write` for a .tflite instead of `quantize`.
    """

    message: str
    options: tuple[str, ...] = ()
    file: Path | None = None
    write: bool = False

    @property
    def words(self) -> str:
        """The step as its user would type it."""
        command = "describe --write" if self.write else "quantize"
        return " ".join([command, *([self.file.name] if self.file else []), *self.options])


@dataclass(frozen=True)
class Trained:
    """A trained model of a family, saved as its users save it.

    Attributes:
        file: The saved model.
        answer: The model's own answer: from photos, uint8 (N, H, W, 3) RGB, to class ids, uint8 (N, h, w), either of
            the photos' size or of the output's. UNCOVERED marks pixels without an answer.
        photos: Photos to calibrate and to compare on, uint8 (N, H, W, 3) RGB.
        ids: Their true class ids, uint8 (N, H, W), by the model's own class numbers.
        options: What a user tells the commands about the model.
        steps: Next steps that refusals may name.
        object_id: The class that is the object, for a model of two classes.
        background: The card's background that the options imply; None if they say nothing about it.
    """

    file: Path
    answer: Answer
    photos: NDArray[np.uint8]
    ids: NDArray[np.uint8]
    options: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    object_id: int = 1
    background: int | None = None


@dataclass(frozen=True)
class Family:
    """A model family.

    Attributes:
        name: Short name, for --only.
        title: What it is, for the table.
        make: Trains a model in a folder.
        needs: The package that it needs beside TensorFlow, for the table.
    """

    name: str
    title: str
    make: Callable[[Path], Trained] = field(repr=False)
    needs: str = ""


FAMILIES: dict[str, Family] = {}


def family(name: str, title: str, needs: str = "") -> Callable[[Callable[[Path], Trained]], Callable[[Path], Trained]]:
    """Register the decorated function as the `make` of a family."""

    def register(make: Callable[[Path], Trained]) -> Callable[[Path], Trained]:
        FAMILIES[name] = Family(name, title, make, needs)
        return make

    return register
