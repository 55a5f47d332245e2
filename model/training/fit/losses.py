"""Loss functions: cross-entropy plus soft IoU, for one object class or for several classes."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.training.data.masks import UNLABELLED

IOU_WEIGHT = 0.5
SMOOTHING = 0.002  # share of the pixels, added to intersection and union so that an empty target has a gradient too


def object_loss(target: Any, scores: Any) -> Any:
    """Return binary cross-entropy plus half of 1 - soft IoU (Rahman and Wang 2016).

    Args:
        target: float32 (N, h, w, 1), 0 to 1; 0.5 in the middle of an unlabelled border.
        scores: float32 (N, h, w, 1), 0 to 1.

    Returns:
        float32 (N,).
    """
    entropy = ops.mean(keras.losses.binary_crossentropy(target, scores), axis=(1, 2))
    return entropy + IOU_WEIGHT * (1 - _soft_iou(target, scores)[:, 0])


def class_loss(target: Any, scores: Any) -> Any:
    """Return cross-entropy plus half of 1 - soft IoU, the mean over the classes in the target.

    Args:
        target: float32 (N, h, w, 1), class ids; pixels that are UNLABELLED do not count.
        scores: float32 (N, h, w, K), 0 to 1.

    Returns:
        float32 (N,).
    """
    ids = ops.cast(target[..., 0], "int32")
    labelled = ops.cast(ids != UNLABELLED, "float32")
    one_hot = ops.one_hot(ids, scores.shape[-1]) * labelled[..., None]  # all zeros where unlabelled
    pixels = ops.maximum(ops.sum(labelled, axis=(1, 2)), 1.0)
    entropy = -ops.sum(one_hot * ops.log(ops.maximum(scores, 1e-7)), axis=(1, 2, 3)) / pixels
    present = ops.cast(ops.sum(one_hot, axis=(1, 2)) > 0, "float32")
    ious = _soft_iou(one_hot, scores * labelled[..., None])
    iou = ops.sum(ious * present, axis=-1) / ops.maximum(ops.sum(present, -1), 1.0)
    return entropy + IOU_WEIGHT * (1 - iou)


def _soft_iou(target: Any, scores: Any) -> Any:
    """Return the soft IoU of each class, float32 (N, K)."""
    smoothing = SMOOTHING * scores.shape[1] * scores.shape[2]
    intersection = ops.sum(target * scores, axis=(1, 2))
    union = ops.sum(target + scores - target * scores, axis=(1, 2))
    return (intersection + smoothing) / (union + smoothing)
