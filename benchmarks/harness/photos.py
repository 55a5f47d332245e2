"""Test photos of any size: the sample photo enlarged, with added camera noise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.harness.options import CACHE, ROOT

SAMPLE = ROOT / "client" / "web" / "sample.jpg"
NOISE_STD = 3.0  # of 255
TILE_PX = 512
JPEG_QUALITY = 90


@dataclass(frozen=True)
class Photo:
    """An image file in the cache folder.

    Attributes:
        file: Path of the file.
        size_wh: Width and height in pixels.
    """

    file: Path
    size_wh: tuple[int, int]

    @property
    def name(self) -> str:
        """The photo's name in results, such as `600x400-jpg`."""
        return self.file.stem

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return self.file.read_bytes()

    @property
    def content_type(self) -> str:
        """The media type of the file."""
        return "image/png" if self.file.suffix == ".png" else "image/jpeg"

    @property
    def megapixels(self) -> float:
        """The number of pixels in millions."""
        return self.size_wh[0] * self.size_wh[1] / 1e6


def small() -> Photo:
    """Return a JPEG of 600 x 400, a typical size on a web page."""
    return make((600, 400), "jpg")


def of(megapixels: float, extension: str = "jpg") -> Photo:
    """Return a photo of aspect ratio 4:3 with about this many million pixels."""
    unit = round((megapixels * 1e6 / 12) ** 0.5)
    return make((4 * unit, 3 * unit), extension)


def make(size_wh: tuple[int, int], extension: str) -> Photo:
    """Create a photo, unless the cache has it; its bytes are always the same.

    Args:
        size_wh: Width and height in pixels.
        extension: File format, `jpg` or `png`.
    """
    file = CACHE / "photos" / f"{size_wh[0]}x{size_wh[1]}-{extension}.{extension}"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(SAMPLE) as sample:
            large = sample.convert("RGB").resize(size_wh, Image.Resampling.BICUBIC)
        _add_noise(large).save(file, quality=JPEG_QUALITY)
    return Photo(file, size_wh)


def _add_noise(image: Image.Image) -> Image.Image:
    """Repeat one tile of Gaussian noise over the image, the same in all channels."""
    tile = np.random.default_rng(1).normal(0, NOISE_STD, (TILE_PX, TILE_PX, 1)).round().astype(np.int16)
    pixels = np.asarray(image).copy()
    for y in range(0, pixels.shape[0], TILE_PX):
        for x in range(0, pixels.shape[1], TILE_PX):
            part = pixels[y : y + TILE_PX, x : x + TILE_PX]
            part[:] = (part + tile[: part.shape[0], : part.shape[1]]).clip(0, 255)
    return Image.fromarray(pixels)
