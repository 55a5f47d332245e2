from __future__ import annotations

from pathlib import Path

import numpy as np

from model.training.data.batches import Pairs
from model.training.data.masks import UNLABELLED
from model.training.data.samples import load


def test_the_same_seed_draws_the_same_pairs_from_whichever_epoch_training_starts(drawn: tuple[Path, Path]) -> None:
    samples = load(*drawn).samples
    pairs = Pairs(samples, 32, 1, seed=5)
    pairs.on_epoch_end()
    for actual, expected in zip(pairs[0], Pairs(samples, 32, 1, seed=5, epoch=1)[0], strict=True):
        assert actual.dtype == np.float32
        np.testing.assert_array_equal(actual, expected)
    assert not np.array_equal(pairs[0][0], Pairs(samples, 32, 1, seed=6, epoch=1)[0][0])
    assert set(np.unique(Pairs(samples, 32, 2, seed=5)[0][1])) <= {0, 1, UNLABELLED}
