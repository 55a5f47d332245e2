"""Scores to a mask at the photo's own size."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from model import resize

SOFT_EDGE = 0.2  # width of the scores around the threshold over which a cutout fades


def probability(scores: NDArray[np.float32], class_id: int | None, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Enlarge the scores of one class, or of all but the background.

    scores: float32 (h, w, K), 0 to 1; K = 1 holds the object, class 1, alone
    returns: uint8 (H, W), 0-255 for 0 to 1
    """
    if scores.shape[-1] == 1:
        one = 1 - scores[..., 0] if class_id == 0 else scores[..., 0]
    else:
        one = 1 - scores[..., 0] if class_id is None else scores[..., class_id]
    return resize.bilinear((one.clip(0, 1) * 255).round().astype(np.uint8), size_wh)


def alpha(
    scores: NDArray[np.float32], class_id: int | None, threshold: float, size_wh: tuple[int, int]
) -> NDArray[np.uint8]:
    """Give the opacity of a cutout: clear below the threshold, full above it, with a soft edge between.

    scores: float32 (h, w, K), 0 to 1
    returns: uint8 (H, W), 0 clear to 255 full
    """
    ramp = (np.arange(256) / 255 - threshold) / SOFT_EDGE + 0.5
    table = (ramp.clip(0, 1) * 255).round().astype(np.uint8)
    return table[probability(scores, class_id, size_wh)]


def from_scores(scores: NDArray[np.float32], threshold: float, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Decide the class of every pixel of the photo.

    Scores are enlarged first and decided after, so that the edges are smooth at the photo's size.
    scores: float32 (h, w, K), 0 to 1
    threshold: from which score on a pixel is object, where there are two classes
    returns: uint8 (H, W) class ids
    """
    if scores.shape[-1] <= 2:
        return (probability(scores, 1, size_wh) >= level(threshold)).view(np.uint8)
    best = probability(scores, 0, size_wh).copy()
    ids = np.zeros(best.shape, np.uint8)
    for class_id in range(1, scores.shape[-1]):
        one = probability(scores, class_id, size_wh)
        ids[one > best] = class_id
        np.maximum(best, one, out=best)
    return ids


def level(threshold: float) -> int:
    """Give the least of the 256 levels that reaches a threshold from 0 to 1."""
    return max(1, math.ceil(threshold * 255))
