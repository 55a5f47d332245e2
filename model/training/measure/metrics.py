"""Metrics of a mask against the true mask: confusion counts, IoU, IoU by threshold and boundary F-score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.training.data.masks import UNLABELLED

BOUNDARY_TOLERANCE = 0.0075  # share of the photo's diagonal within which two outlines agree (Perazzi et al. 2016)

Ids = NDArray[np.uint8]
Counts = NDArray[np.int64]


def confusion(mask: Ids, truth: Ids, classes: int) -> Counts:
    """Count the labelled pixels by true class and predicted class.

    Args:
        mask: uint8 (H, W), predicted class ids.
        truth: uint8 (H, W), true class ids; pixels that are UNLABELLED are not counted.
        classes: Number of classes.

    Returns:
        int64 (classes, classes), indexed by true class, then predicted class.
    """
    labelled = truth != UNLABELLED
    pairs = truth[labelled].astype(np.int64) * classes + mask[labelled]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def ious(counts: Counts) -> NDArray[np.float64]:
    """Return the IoU of each class.

    Args:
        counts: int64 (K, K), as `confusion` returns them, for one photo or summed over several.

    Returns:
        float64 (K,), 0 to 1. A class that is neither in the truth nor in the mask has 1 if K is 2, since leaving the
        object out is right, and NaN otherwise.
    """
    intersection = np.diag(counts).astype(float)
    union = counts.sum(0) + counts.sum(1) - np.diag(counts)
    absent = np.nan if len(counts) > 2 else 1.0
    return np.where(union > 0, intersection / np.maximum(union, 1), absent)


def nan_mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the mean of the values that are not NaN, and NaN where all are; `np.nanmean` would warn there."""
    valid = ~np.isnan(values)
    count = valid.sum(axis)
    return np.where(count > 0, np.where(valid, values, 0).sum(axis) / np.maximum(count, 1), np.nan)


def border_curve(probability: Ids, truth: Ids) -> NDArray[np.float64]:
    """Return the object's IoU at every threshold, with unlabelled pixels counted as object.

    Args:
        probability: uint8 (H, W), 0 to 255 for probabilities from 0 to 1.
        truth: uint8 (H, W), 0 for the background.

    Returns:
        float64 (256,): at index t, the IoU of the mask of all pixels with at least the probability t.
    """
    is_object = truth > 0
    true_positives = np.bincount(probability[is_object], minlength=256)[::-1].cumsum()[::-1]
    false_positives = np.bincount(probability[~is_object], minlength=256)[::-1].cumsum()[::-1]
    return np.asarray(true_positives / np.maximum(np.count_nonzero(is_object) + false_positives, 1))


def boundary_f(mask: Ids, truth: Ids) -> float:
    """Return the F-score of the outlines, within BOUNDARY_TOLERANCE (Martin et al. 2004; Perazzi et al. 2016).

    Where the truth is UNLABELLED, the mask counts as right: an outline inside a trimap's border is not evaluated.

    Args:
        mask: uint8 (H, W), predicted class ids.
        truth: uint8 (H, W), true class ids.

    Returns:
        0 to 1.
    """
    height, width = truth.shape
    radius = max(1, round(BOUNDARY_TOLERANCE * float(np.hypot(height, width))))
    predicted, expected = _outline(mask), _outline(np.where(truth == UNLABELLED, mask, truth))
    if not predicted.any() or not expected.any():
        return float(predicted.any() == expected.any())
    precision = _dilate(expected, radius)[predicted].mean()
    recall = _dilate(predicted, radius)[expected].mean()
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def _outline(ids: Ids) -> NDArray[np.bool_]:
    """Mark each pixel that differs from its right or lower neighbour."""
    edge = np.zeros(ids.shape, bool)
    edge[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    edge[:-1] |= ids[:-1] != ids[1:]
    return edge


def _dilate(edge: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Mark every pixel within a square of `radius` pixels around a marked one, by an integral image."""
    side = 2 * radius + 1
    sums = np.pad(edge, ((radius + 1, radius), (radius + 1, radius))).cumsum(0).cumsum(1)
    counts = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(counts > 0)
