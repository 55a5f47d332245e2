"""How much of the masks changes when a model is converted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.image import score_map
from model.tflite.card import ModelCard

Infer = Callable[[NDArray[np.float32]], NDArray[Any]]


def changed_share(
    before: Infer, after: Infer, inputs: Sequence[NDArray[np.float32]], card: ModelCard, input_wh: tuple[int, int]
) -> float:
    """Return the share of pixels whose class differs between two models, over all inputs.

    Args:
        before: One model, from an input to (1, h, w, K).
        after: The other.
        inputs: The inputs, at least one.
        card: The card of both.
        input_wh: Width and height of the input.

    Returns:
        The share, 0 to 1.
    """

    def class_ids(infer: Infer, tensor: NDArray[np.float32]) -> NDArray[np.uint8]:
        scores = score_map.from_values(infer(tensor)[0], card, input_wh, (0, 0, *input_wh))
        return scores.class_ids((scores.scores.shape[1], scores.scores.shape[0]), card.threshold)

    return float(np.mean([np.mean(class_ids(before, tensor) != class_ids(after, tensor)) for tensor in inputs]))
