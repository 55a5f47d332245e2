"""Cut an image that is to be enlarged into bands or tiles. Pure geometry; nothing is enlarged here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from model.image.resize import Box

BAND_PX = 256  # rows enlarged at once: a band stays in the processor's cache, which halves the time


class Tile(NamedTuple):
    """A tile of an enlarged image, and the part of the source it is enlarged from.

    Attributes:
        target: Rows and columns of the enlarged image.
        source: Rows and columns of the source that the tile depends on, with a margin for the filter.
        box: The part that the tile shows, in pixels of `source`.
    """

    target: tuple[slice, slice]
    source: tuple[slice, slice]
    box: Box


class _Span(NamedTuple):
    """One side of a tile: `start` and `stop` are one side of its box."""

    target: slice
    source: slice
    start: float
    stop: float


def bands(side: int, start: float, stop: float, step: int = BAND_PX) -> Iterator[tuple[slice, float, float]]:
    """Cut one side of an enlarged image into bands.

    Args:
        side: Length of the enlarged side, in pixels.
        start: Where the part of the source that the side shows begins, in pixels of the source.
        stop: Where that part ends.
        step: Length of a band, in pixels of the enlarged side; the last one may be shorter.

    Yields:
        The pixels of each band, and where the part of the source that it shows begins and ends.
    """
    ratio = (stop - start) / side
    for first in range(0, side, step):
        last = min(side, first + step)
        yield slice(first, last), start + first * ratio, min(stop, start + last * ratio)


def tiles(source_hw: tuple[int, int], size_wh: tuple[int, int], box: Box, step: int) -> Iterator[Tile]:
    """Cut an enlarged image into tiles.

    Args:
        source_hw: Height and width of the source.
        size_wh: Width and height of the enlarged image.
        box: The part of the source that the enlarged image shows.
        step: Side of a tile; those at the right and the bottom may be smaller.

    Yields:
        The tiles, row by row.
    """
    left, top, right, bottom = box
    columns = _spans(size_wh[0], left, right, source_hw[1], step)
    for row in _spans(size_wh[1], top, bottom, source_hw[0], step):
        for column in columns:
            part = column.start, row.start, column.stop, row.stop
            yield Tile((row.target, column.target), (row.source, column.source), part)


def _spans(side: int, start: float, stop: float, source_side: int, step: int) -> list[_Span]:
    margin = math.ceil(max(1.0, (stop - start) / side)) + 1  # the reach of the bilinear filter
    spans = []
    for target, near, far in bands(side, start, stop, step):
        low, high = max(0, math.floor(near) - margin), min(source_side, math.ceil(far) + margin)
        spans.append(_Span(target, slice(low, high), near - low, far - low))
    return spans
