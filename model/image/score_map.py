"""Scores to a mask at the photo's own size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.image import resize
from model.image.resize import Box

SOFT_EDGE = 0.2  # width of the scores around the threshold over which a cutout fades
BAND_PX = 256  # rows that are enlarged at once
TILE_PX = 256  # what is decided at once where there are many classes: it bounds the memory

Scores = NDArray[Any]  # float32 (h, w, K), 0 to 1, or uint8 (h, w) class ids


def probability(
    scores: Scores,
    class_id: int | None,
    size_wh: tuple[int, int],
    background: int | None = 0,
    box: Box | None = None,
) -> NDArray[np.uint8]:
    """Enlarge the scores of one class, or of all but the background.

    scores: float32 (h, w, K), 0 to 1; K = 1 holds the object alone; or uint8 (h, w) class ids
    box: the part of the scores that shows the photo, in pixels of theirs; None for all
    returns: uint8 (H, W), 0-255 for 0 to 1
    """
    if class_id is None and background is None:
        return np.full(size_wh[::-1], 255, np.uint8)
    enlarged = np.empty(size_wh[::-1], np.uint8)
    for rows, band in _bands(_eight_bits(scores, class_id, background), size_wh, box):
        enlarged[rows] = band
    return enlarged


def _bands(
    levels: NDArray[np.uint8], size_wh: tuple[int, int], box: Box | None
) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
    """Enlarge band by band: what lies in the processor's cache takes half the time.

    The mask and the probability both come this way, for other bands would round some pixels to the next level.
    """
    left, top, right, bottom = box or (0, 0, levels.shape[1], levels.shape[0])
    for rows, near, far in _cuts(size_wh[1], top, bottom, BAND_PX):
        yield rows, resize.bilinear(levels, (size_wh[0], rows.stop - rows.start), (left, near, right, far))


def _eight_bits(scores: Scores, class_id: int | None, background: int | None) -> NDArray[np.uint8]:
    """Give the scores of one class, or of all but the background, as uint8 (h, w)."""
    other = class_id is None or (_one(scores) and class_id == background)
    channel = background if class_id is None else class_id
    if scores.ndim == 2:
        return np.where((scores == channel) != other, np.uint8(255), np.uint8(0))
    one = scores[..., 0] if _one(scores) else scores[..., channel]
    if other and not (_one(scores) and class_id is None):
        one = 1 - one
    levels: NDArray[np.uint8] = (one.clip(0, 1) * 255).round().astype(np.uint8)
    return levels


def _one(scores: Scores) -> bool:
    """Tell whether the scores are of the object alone."""
    return scores.ndim == 3 and scores.shape[-1] == 1


def alpha(
    scores: Scores,
    class_id: int | None,
    threshold: float,
    size_wh: tuple[int, int],
    background: int | None = 0,
    box: Box | None = None,
) -> NDArray[np.uint8]:
    """Give the opacity of a cutout: clear below the threshold, full above it, with a soft edge between.

    scores, box: as for probability
    returns: uint8 (H, W), 0 clear to 255 full
    """
    ramp = (np.arange(256) / 255 - threshold) / SOFT_EDGE + 0.5
    table = (ramp.clip(0, 1) * 255).round().astype(np.uint8)
    return table[probability(scores, class_id, size_wh, background, box)]


def from_scores(
    scores: Scores,
    threshold: float,
    size_wh: tuple[int, int],
    background: int | None = 0,
    box: Box | None = None,
) -> NDArray[np.uint8]:
    """Decide the class of every pixel of the photo.

    Scores are enlarged first and decided after, so that the edges are smooth at the photo's size.
    scores, box: as for probability
    threshold: from which score on a pixel is object, where there are two classes
    returns: uint8 (H, W) class ids
    """
    if scores.ndim == 2 or scores.shape[-1] > 2:
        return _likeliest(scores, size_wh, box)
    inside = np.unpackbits(bits(scores, threshold, size_wh, background, box), axis=1, count=size_wh[0])
    return inside ^ np.uint8(1) if background == 1 else inside


def bits(
    scores: Scores,
    threshold: float,
    size_wh: tuple[int, int],
    background: int | None = 0,
    box: Box | None = None,
) -> NDArray[np.uint8]:
    """Decide what is object, where there are two classes, eight pixels to a byte: an eighth of the memory.

    scores: float32 (h, w, 1) or (h, w, 2), 0 to 1
    threshold, box: as for from_scores
    returns: uint8 (H, W / 8 rounded up), the first pixel in the highest bit
    """
    levels, least = _eight_bits(scores, 0 if background == 1 else 1, background), level(threshold)
    width, height = size_wh
    packed = np.empty((height, -(-width // 8)), np.uint8)
    for rows, band in _bands(levels, size_wh, box):
        packed[rows] = np.packbits(band >= least, axis=1)
    return packed


def _likeliest(scores: Scores, size_wh: tuple[int, int], box: Box | None) -> NDArray[np.uint8]:
    """Let the likeliest class win, tile by tile; where one wins all around, nothing is enlarged."""
    best = scores if scores.ndim == 2 else scores.argmax(axis=-1).astype(np.uint8)
    height, width = best.shape
    if size_wh == (width, height) and box in (None, (0, 0, width, height)):
        return best
    ids = np.empty(size_wh[::-1], np.uint8)
    for rows, columns, source, part in _tiles(best.shape, size_wh, box or (0, 0, width, height)):
        winners = np.unique(best[source])
        if winners.size == 1:
            ids[rows, columns] = winners[0]
            continue
        tile_wh = (columns.stop - columns.start, rows.stop - rows.start)
        top = resize.bilinear(_levels(scores, source, winners[0]), tile_wh, part)
        found = np.full(top.shape, winners[0], np.uint8)
        for class_id in winners[1:]:
            one = resize.bilinear(_levels(scores, source, class_id), tile_wh, part)
            found[one > top] = class_id
            top = np.maximum(top, one)
        ids[rows, columns] = found
    return ids


def _levels(scores: Scores, source: tuple[slice, slice], class_id: int) -> NDArray[np.float32]:
    if scores.ndim == 2:
        return np.asarray(scores[source] == class_id, np.float32)
    return np.ascontiguousarray(scores[(*source, class_id)], np.float32)


def _tiles(
    shape_hw: tuple[int, ...], size_wh: tuple[int, int], box: Box
) -> Iterator[tuple[slice, slice, tuple[slice, slice], Box]]:
    """Cut the photo's size into tiles.

    returns: rows and columns of each tile, those of the scores that it hangs on, and its own part of these
    """
    cuts = []
    for side, start, stop, limit in (
        (size_wh[1], box[1], box[3], shape_hw[0]),
        (size_wh[0], box[0], box[2], shape_hw[1]),
    ):
        margin = math.ceil(max(1.0, (stop - start) / side)) + 1  # as far as the filter reaches
        spans = []
        for cut, near, far in _cuts(side, start, stop, TILE_PX):
            low, high = max(0, math.floor(near) - margin), min(limit, math.ceil(far) + margin)
            spans.append((cut, slice(low, high), near - low, far - low))
        cuts.append(spans)
    for rows, source_rows, top, bottom in cuts[0]:
        for columns, source_columns, left, right in cuts[1]:
            yield rows, columns, (source_rows, source_columns), (left, top, right, bottom)


def _cuts(side: int, start: float, stop: float, step: int) -> Iterator[tuple[slice, float, float]]:
    """Cut a side of the photo's size, and tell what part of the scores' side, from start to stop, each cut shows."""
    ratio = (stop - start) / side
    for first in range(0, side, step):
        last = min(side, first + step)
        yield slice(first, last), start + first * ratio, min(stop, start + last * ratio)


def level(threshold: float) -> int:
    """Give the least of the 256 levels that reaches a threshold from 0 to 1."""
    return max(1, math.ceil(threshold * 255))
