"""Photos of any size, made from the sample: enlarged, with the noise of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.harness.options import CACHE, ROOT

SAMPLE = ROOT / "client" / "web" / "sample.jpg"
NOISE = 3.0  # standard deviation, of 255
TILE_PX = 512
QUALITY = 90


@dataclass(frozen=True)
class Photo:
    """A photo in the cache."""

    file: Path
    size_wh: tuple[int, int]

    @property
    def name(self) -> str:
        """Give what results call it."""
        return self.file.stem

    @property
    def data(self) -> bytes:
        """Read it."""
        return self.file.read_bytes()

    @property
    def content_type(self) -> str:
        """Give its media type."""
        return "image/png" if self.file.suffix == ".png" else "image/jpeg"

    @property
    def megapixels(self) -> float:
        """Give its size."""
        return self.size_wh[0] * self.size_wh[1] / 1e6


def small() -> Photo:
    """Make the photo of most runs: 600 x 400, as a page on the web shows it."""
    return make((600, 400), "jpg")


def of(megapixels: float, kind: str = "jpg") -> Photo:
    """Make a photo of 4 x 3 with so many million pixels."""
    unit = round((megapixels * 1e6 / 12) ** 0.5)
    return make((4 * unit, 3 * unit), kind)


def make(size_wh: tuple[int, int], kind: str) -> Photo:
    """Make a photo, the same bytes each time, unless it is there already."""
    file = CACHE / "photos" / f"{size_wh[0]}x{size_wh[1]}-{kind}.{kind}"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(SAMPLE) as sample:
            large = sample.convert("RGB").resize(size_wh, Image.Resampling.BICUBIC)
        _noisy(large).save(file, quality=QUALITY)
    return Photo(file, size_wh)


def _noisy(image: Image.Image) -> Image.Image:
    """Lay one tile of noise over the whole image, the same on all channels."""
    tile = np.random.default_rng(1).normal(0, NOISE, (TILE_PX, TILE_PX, 1)).round().astype(np.int16)
    pixels = np.asarray(image).copy()
    for y in range(0, pixels.shape[0], TILE_PX):
        for x in range(0, pixels.shape[1], TILE_PX):
            part = pixels[y : y + TILE_PX, x : x + TILE_PX]
            part[:] = (part + tile[: part.shape[0], : part.shape[1]]).clip(0, 255)
    return Image.fromarray(pixels)
