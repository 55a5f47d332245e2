"""How well a mask agrees with the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.training.data.samples import UNKNOWN

NEAR = 0.0075  # of the photo's diagonal: two outlines this close agree

Ids = NDArray[np.uint8]
Counts = NDArray[np.int64]


def confusion(mask: Ids, truth: Ids, classes: int) -> Counts:
    """Count the classified pixels by true class and found class.

    mask, truth: uint8 (H, W) class ids; UNKNOWN in the truth does not count
    returns: int64 (classes, classes), true class first
    """
    known = truth != UNKNOWN
    pairs = truth[known].astype(np.int64) * classes + mask[known]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def ious(counts: Counts) -> NDArray[np.float64]:
    """Give the IoU of each class.

    A class that is neither there nor found has none (NaN) among three or more; of two, it is rightly left out: 1.
    counts: as confusion gives them, of one photo or summed
    """
    both = np.diag(counts).astype(float)
    either = counts.sum(0) + counts.sum(1) - np.diag(counts)
    absent = np.nan if len(counts) > 2 else 1.0
    return np.where(either > 0, both / np.maximum(either, 1), absent)


def mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Give the mean of what is no NaN; NaN where nothing else is."""
    there = ~np.isnan(values)
    count = there.sum(axis)
    return np.where(count > 0, np.where(there, values, 0).sum(axis) / np.maximum(count, 1), np.nan)


def border_curve(probability: Ids, truth: Ids) -> NDArray[np.float64]:
    """Give the IoU of the object at every threshold, pixels that nobody classified counted as object.

    probability: uint8 (H, W), 0-255, as mask.probability gives it
    truth: uint8 (H, W), 0 background
    returns: (256,), for a mask of the pixels at that level and above
    """
    is_object = truth > 0
    hits = np.bincount(probability[is_object], minlength=256)[::-1].cumsum()[::-1]
    false = np.bincount(probability[~is_object], minlength=256)[::-1].cumsum()[::-1]
    return np.asarray(hits / np.maximum(np.count_nonzero(is_object) + false, 1))


def boundary_f(mask: Ids, truth: Ids) -> float:
    """Give the F-score of the outlines, within NEAR of each other (Martin et al. 2004; Perazzi et al. 2016).

    Where nobody classified, the mask counts as right: an outline inside a trimap's border is not judged.
    mask, truth: uint8 (H, W) class ids
    """
    height, width = truth.shape
    reach = max(1, round(NEAR * float(np.hypot(height, width))))
    found, wanted = _outline(mask), _outline(np.where(truth == UNKNOWN, mask, truth))
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    precision = _widen(wanted, reach)[found].mean()
    recall = _widen(found, reach)[wanted].mean()
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def _outline(ids: Ids) -> NDArray[np.bool_]:
    edge = np.zeros(ids.shape, bool)
    edge[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    edge[:-1] |= ids[:-1] != ids[1:]
    return edge


def _widen(edge: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Mark every pixel within a square of reach pixels around a marked one, by sums over the square."""
    side = 2 * reach + 1
    sums = np.pad(edge, ((reach + 1, reach), (reach + 1, reach))).cumsum(0).cumsum(1)
    counts = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(counts > 0)
