"""From the values of a model's output to scores of 0 to 1, or to class ids."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.tflite.card import ModelCard
from model.tflite.tensor_specs import OutputSpec

EXPONENT_LIMIT = 80.0  # exp() overflows float32 above 88
TINY = 1e-6
BYTES = (np.dtype(np.uint8), np.dtype(np.int8))


def apply_activation(values: NDArray[Any], card: ModelCard) -> NDArray[Any]:
    """Apply the activation that the card names to the model's output.

    Args:
        values: float32 (h, w, K); for the activation "ids", class ids (h, w, 1) of any dtype.
        card: The card; it names the activation.

    Returns:
        float32 (h, w, K) scores, 0 to 1; a channel more if the card has a label more than the output has channels,
        which is then the background. For "ids", uint8 (h, w) class ids, where an id without a label becomes the
        background.
    """
    if card.activation == "ids":
        ids = values[..., 0]
        known = (ids >= 0) & (ids < len(card.labels))
        return np.where(known, ids, card.background or 0).astype(np.uint8)
    if card.activation == "softmax":
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
    if card.activation == "sigmoid":
        values = np.asarray(1 / (1 + np.exp(-values.clip(-EXPONENT_LIMIT, EXPONENT_LIMIT))))
    return _with_background(values, card) if 1 < values.shape[-1] < len(card.labels) else values


def score_table(spec: OutputSpec, card: ModelCard) -> NDArray[np.float32] | None:
    """Return the score of each byte that an output can store, if a score depends on its own byte alone.

    Args:
        spec: What the output stores.
        card: The card; it names the activation.

    Returns:
        float32 (256,), 0 to 1, by the byte without a sign; None for other outputs, and for the sigmoid of several
        channels, which does not tell the highest values apart.
    """
    channelwise = card.activation == "none" or (card.activation == "sigmoid" and spec.channels == 1)
    if spec.dtype not in BYTES or not channelwise or 1 < spec.channels < len(card.labels):
        return None
    real = spec.dequantize(np.arange(256, dtype=np.uint8).view(spec.dtype))
    return apply_activation(real[:, np.newaxis], card)[:, 0]


def _with_background(scores: NDArray[Any], card: ModelCard) -> NDArray[np.float32]:
    """Add the channel of the background to the scores of the other classes, which are independent of each other.

    Each score is scaled so that its threshold becomes 0.5. The background has the remainder of the highest score to 1,
    so that it wins exactly where no class reaches its threshold, and elsewhere the class that exceeds it the most.
    """
    threshold = np.array(card.thresholds or (card.threshold,), np.float32)
    above = 0.5 + (scores - threshold) / np.maximum(2 * (1 - threshold), TINY)
    centred = np.where(scores < threshold, scores / (2 * threshold), above).clip(0, 1)
    background = 1 - TINY - centred.max(axis=-1)
    return np.insert(centred, card.background or 0, background, axis=-1).astype(np.float32)
