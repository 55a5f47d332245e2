"""A mask as PNG bytes, as a Pillow image and as an array of class ids."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .errors import BadResponse
from .photo import DECODE_ERRORS
from .result import SegmentResult


@dataclass(frozen=True)
class Mask:
    """The mask of one photo, at the photo's own upright size.

    Attributes:
        png: The PNG: 1-bit for a model with two classes (white is the object), else with a palette.
        result: The result that it came with: timings, model, cold start.
    """

    png: bytes = field(repr=False)
    result: SegmentResult

    @cached_property
    def image(self) -> Image.Image:
        """The mask as a Pillow image, mode "1" or "P".

        Raises:
            BadResponse: If the PNG cannot be decoded.
        """
        try:
            image = Image.open(io.BytesIO(self.png))
            image.load()
        except DECODE_ERRORS as error:
            raise BadResponse(f"cannot decode the mask: {error}", tries=self.result.tries) from error
        return image

    @cached_property
    def array(self) -> NDArray[np.uint8]:
        """The class id of each pixel, uint8 (H, W). In a 1-bit mask 0 is the background and 1 the object.

        Raises:
            BadResponse: If the PNG cannot be decoded, or is neither 1-bit nor has a palette.
        """
        if self.image.mode not in ("1", "P"):
            raise BadResponse(
                f"a mask must be a 1-bit or palette PNG, but this one has mode {self.image.mode}",
                tries=self.result.tries,
            )
        return np.array(self.image, dtype=np.uint8)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size

    def save(self, path: str | Path) -> None:
        """Write the PNG to a file.

        Args:
            path: The file to write.

        Raises:
            OSError: If the file cannot be written.
            ValueError: If the file's extension is that of another image format, such as .jpg.
        """
        extension = Path(path).suffix.lower()
        if extension != ".png" and extension in Image.registered_extensions():
            raise ValueError(f"a mask is saved as PNG, but {path} has the extension {extension}")
        Path(path).write_bytes(self.png)
