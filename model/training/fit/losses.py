"""What training makes small: cross-entropy and soft IoU, for one object or for many classes."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.training.data.samples import UNKNOWN

FLOOR = 0.002  # of the pixels: added to both sides of the soft IoU, so that an empty target has a slope too


def of_object(target: Any, scores: Any) -> Any:
    """Add binary cross-entropy to soft IoU, the border counting as one half (Rahman and Wang 2016).

    target, scores: float32 (N, h, w, 1), 0 to 1
    returns: float32 (N,)
    """
    entropy = ops.mean(keras.losses.binary_crossentropy(target, scores), axis=(1, 2))
    return entropy + 0.5 * (1 - _soft_iou(target, scores)[:, 0])


def of_classes(target: Any, scores: Any) -> Any:
    """Add cross-entropy to the soft IoU of the classes that are there, pixels that nobody classified left out.

    target: float32 (N, h, w, 1) class ids, UNKNOWN included
    scores: float32 (N, h, w, K), 0 to 1
    returns: float32 (N,)
    """
    ids = ops.cast(target[..., 0], "int32")
    known = ops.cast(ids != UNKNOWN, "float32")
    hot = ops.one_hot(ids, scores.shape[-1]) * known[..., None]  # all zeros where unknown
    pixels = ops.maximum(ops.sum(known, axis=(1, 2)), 1.0)
    entropy = -ops.sum(hot * ops.log(ops.maximum(scores, 1e-7)), axis=(1, 2, 3)) / pixels
    there = ops.cast(ops.sum(hot, axis=(1, 2)) > 0, "float32")
    iou = ops.sum(_soft_iou(hot, scores * known[..., None]) * there, axis=-1) / ops.maximum(ops.sum(there, -1), 1.0)
    return entropy + 0.5 * (1 - iou)


def _soft_iou(target: Any, scores: Any) -> Any:
    floor = FLOOR * scores.shape[1] * scores.shape[2]
    overlap = ops.sum(target * scores, axis=(1, 2))
    union = ops.sum(target + scores - target * scores, axis=(1, 2))
    return (overlap + floor) / (union + floor)
