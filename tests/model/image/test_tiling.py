from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from model.image import tiling

SIZES_WH = [(1, 1), (255, 256), (257, 600), (40, 33)]


@pytest.mark.parametrize("side", [1, 255, 256, 257, 1000])
def test_bands_cover_the_side_and_the_source_without_gaps(side: int) -> None:
    bands = list(tiling.bands(side, 2.5, 30.0, 256))
    assert [pixel for cut, _, _ in bands for pixel in range(side)[cut]] == list(range(side))
    assert (bands[0][1], bands[-1][2]) == (2.5, 30.0)
    assert all(before[2] == after[1] for before, after in pairwise(bands))


@pytest.mark.parametrize("size_wh", SIZES_WH)
def test_tiles_cover_each_pixel_once(size_wh: tuple[int, int]) -> None:
    count = np.zeros(size_wh[::-1], int)
    for tile in tiling.tiles((33, 40), size_wh, (1, 2, 39.5, 30), 256):
        count[tile.target] += 1
    assert (count == 1).all()


@pytest.mark.parametrize("size_wh", SIZES_WH)
def test_the_box_of_a_tile_lies_within_its_source(size_wh: tuple[int, int]) -> None:
    source = np.zeros((33, 40))
    for tile in tiling.tiles((33, 40), size_wh, (1, 2, 39.5, 30), 256):
        height, width = source[tile.source].shape
        left, top, right, bottom = tile.box
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
