"""Enlarge the levels of one class and apply a threshold, without enlarging what is clearly inside or outside."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from model.image import resize, tiling
from model.image.resize import Box

MIN_SCALE = 2  # of a smaller image, too little can be left out to be worth it
JOINED_GAP = 8  # bytes of a row: stretches that are as close as this are enlarged as one


def packed_inside(levels: NDArray[np.uint8], level: int, size_wh: tuple[int, int], box: Box) -> NDArray[np.uint8]:
    """Return which pixels of the enlarged image reach a level, eight to a byte.

    It works band by band: enlarged horizontally first, the columns of a band that the outline does not cross are
    decided without being enlarged vertically. Every bit is that of an enlargement of the whole band.

    Args:
        levels: uint8 (h, w).
        level: The lowest level that counts, 1 to 255.
        size_wh: Width and height of the enlarged image.
        box: The part of `levels` that it shows.

    Returns:
        uint8 (H, W / 8 rounded up), the first pixel in the most significant bit, padded with zeros.
    """
    (width, height), (left, top, right, bottom) = size_wh, box
    margin = math.ceil(max(1.0, (bottom - top) / height)) + 1  # the reach of the bilinear filter
    bits = np.empty((height, -(-width // 8)), np.uint8)
    wide: NDArray[np.uint8] | None = None
    for rows, start, stop in tiling.bands(height, top, bottom):
        # In a band lower than the source, Pillow may enlarge vertically first, which rounds differently.
        if height < MIN_SCALE * len(levels) or rows.stop - rows.start < len(levels):
            band = resize.bilinear(levels, (width, rows.stop - rows.start), (left, start, right, stop))
            bits[rows] = np.packbits(band >= level, axis=1)
            continue
        if wide is None:
            wide = resize.bilinear(levels, (width, len(levels)), (left, 0, right, len(levels)))
        source = wide[max(0, math.floor(start) - margin) : math.ceil(stop) + margin]
        is_inside, is_touched = source.min(axis=0) >= level, source.max(axis=0) >= level
        bits[rows] = np.packbits(is_inside)
        for stretch in _stretches(np.packbits(is_inside != is_touched)):
            columns = np.ascontiguousarray(wide[:, stretch.start * 8 : stretch.stop * 8])
            part_wh = columns.shape[1], rows.stop - rows.start
            part = resize.bilinear(columns, part_wh, (0, start, part_wh[0], stop))
            bits[rows, stretch] = np.packbits(part >= level, axis=1)
    return bits


def _stretches(crossed: NDArray[np.uint8]) -> Iterator[slice]:
    """Yield the stretches of a row of bytes that hold those that are not zero."""
    indices = np.flatnonzero(crossed)
    if indices.size:
        ends = np.flatnonzero(np.diff(indices) > JOINED_GAP)
        for first, last in zip([0, *(ends + 1)], [*ends, -1], strict=True):
            yield slice(int(indices[first]), int(indices[last]) + 1)
