"""Batches of random pairs for training."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from model.training.data.augment import Augmenter
from model.training.data.samples import Sample

MEAN, STD = 127.0, 128.0  # what the ImageNet weights were trained with
BATCH = 16


class Pairs(keras.utils.PyDataset):
    """Batches of pairs; the same seed draws the same pairs, epoch by epoch, wherever training begins.

    classes: 1 for object against background, whose target is 0 to 1; more for class ids
    """

    def __init__(self, samples: Sequence[Sample], size_px: int, classes: int, seed: int, epoch: int = 0) -> None:
        super().__init__(workers=1, max_queue_size=8)
        self.augmenter = Augmenter(samples, soft=classes == 1)
        self.size_px, self.classes, self.seed, self.epoch = size_px, classes, seed, epoch

    def __len__(self) -> int:
        return count(len(self.augmenter.samples))

    def __getitem__(self, batch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = np.random.default_rng([self.seed, self.epoch, batch])
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.augmenter.samples))
        indices = np.resize(order, BATCH * len(self))[batch * BATCH : (batch + 1) * BATCH]
        pairs = [self.augmenter.draw(int(i), self.size_px, rng) for i in indices]
        photos = np.stack([np.asarray(photo, np.float32) for photo, _ in pairs])
        targets = np.stack([np.asarray(target, np.float32) for _, target in pairs])
        most = np.float32(255 if self.classes == 1 else 1)
        return (photos - np.float32(MEAN)) / np.float32(STD), targets[..., None] / most

    def on_epoch_end(self) -> None:
        self.epoch += 1


def count(samples: int) -> int:
    """Give the batches of an epoch."""
    return max(1, samples // BATCH)
