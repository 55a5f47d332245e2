from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.image import outline, resize, tiling
from model.image.resize import Box

RNG = np.random.default_rng(11)
LEVEL = 128
BOXES = [(0, 0, 256, 256), (3, 40.5, 250, 215.25)]
SIZES_WH = [(451, 300), (1000, 257), (2003, 1501), (256, 256), (100, 61), (7, 5), (1, 1)]


def discs() -> NDArray[np.uint8]:
    """Return levels of two discs with soft edges."""
    rows, columns = np.mgrid[:256, :256]
    distances = [np.hypot(columns - x, rows - y) - radius for x, y, radius in ((80, 100, 50), (190, 170, 30))]
    return np.asarray((255 / (1 + np.exp(np.min(distances, axis=0) / 1.5))).round(), np.uint8)


def enlarged_bits(levels: NDArray[np.uint8], size_wh: tuple[int, int], box: Box) -> NDArray[np.uint8]:
    """Return the bits by an enlargement of all of the image."""
    left, top, right, bottom = box
    bands = [
        resize.bilinear(levels, (size_wh[0], rows.stop - rows.start), (left, start, right, stop))
        for rows, start, stop in tiling.bands(size_wh[1], top, bottom)
    ]
    return np.packbits(np.concatenate(bands) >= LEVEL, axis=1)


@pytest.mark.parametrize("size_wh", SIZES_WH)
@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize(
    "levels",
    [
        discs(),
        RNG.integers(0, 256, (256, 256), np.uint8),
        RNG.integers(LEVEL - 1, LEVEL + 1, (256, 256), np.uint8),
        np.full((256, 256), LEVEL, np.uint8),
        np.full((256, 256), LEVEL - 1, np.uint8),
    ],
    ids=["discs", "noise", "nearly flat", "all inside", "all outside"],
)
def test_every_bit_is_that_of_an_enlargement_of_all_of_the_image(
    levels: NDArray[np.uint8], size_wh: tuple[int, int], box: Box
) -> None:
    assert (outline.packed_inside(levels, LEVEL, size_wh, box) == enlarged_bits(levels, size_wh, box)).all()


def test_only_the_surroundings_of_the_outline_are_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes_wh = []
    bilinear = resize.bilinear

    def counted(pixels: NDArray[np.uint8], size_wh: tuple[int, int], box: Box | None = None) -> NDArray[np.uint8]:
        sizes_wh.append(size_wh)
        return bilinear(pixels, size_wh, box)

    monkeypatch.setattr(resize, "bilinear", counted)
    outline.packed_inside(discs(), LEVEL, (4000, 3000), (0, 0, 256, 256))
    assert sum(width * height for width, height in sizes_wh) < 0.4 * 4000 * 3000
