"""A mask: the bytes the server sent, and the same as pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from client.errors import BadAnswer
from client.photo import UNREADABLE
from client.result import Answer


@dataclass(frozen=True)
class Mask:
    """Hold the mask of one photo, at the photo's own upright size.

    png: 1-bit where the model has two classes (white is the object), else with a palette
    answer: what came with it: times, model, cold start
    """

    png: bytes = field(repr=False)
    answer: Answer

    @cached_property
    def image(self) -> Image.Image:
        """Open the mask with Pillow, mode "1" or "P".

        raises: BadAnswer
        """
        try:
            image = Image.open(io.BytesIO(self.png))
            image.load()
        except UNREADABLE as error:
            raise BadAnswer(f"the mask cannot be opened: {error}") from error
        return image

    @cached_property
    def array(self) -> NDArray[np.uint8]:
        """Give the class of each pixel: uint8 (H, W), 0 is the background.

        raises: BadAnswer
        """
        if self.image.mode not in ("1", "P"):
            raise BadAnswer(f"a mask is 1-bit or has a palette; this PNG is {self.image.mode}")
        return np.array(self.image, dtype=np.uint8)

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.image.size

    def save(self, path: str | Path) -> None:
        """Write the PNG's bytes."""
        Path(path).write_bytes(self.png)
