from __future__ import annotations

import numpy as np

from model.training.data.masks import UNLABELLED
from model.training.fit import losses


def test_the_losses_are_lowest_for_the_true_mask() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 3, (2, 8, 8, 1)).astype(np.float32)
    right = np.eye(3, dtype=np.float32)[ids[..., 0].astype(int)]
    ids[:, :4][rng.random((2, 4, 8, 1)) < 0.5] = UNLABELLED
    wrong_where_unlabelled = np.where(ids == UNLABELLED, right[..., ::-1], right)
    assert np.asarray(losses.class_loss(ids, right)).max() < 1e-4
    assert np.asarray(losses.class_loss(ids, wrong_where_unlabelled)).max() < 1e-4
    assert np.asarray(losses.class_loss(ids, right[..., ::-1])).min() > 1
    target = (ids == 1).astype(np.float32)
    assert np.asarray(losses.object_loss(target, target)).max() < 1e-4
    assert np.asarray(losses.object_loss(target, 1 - target)).min() > 1
