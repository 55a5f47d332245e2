"""Batches of random pairs for training."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from model.training.data.augment import Augmenter, Mixture
from model.training.data.samples import Sample

MEAN, STD = 127.0, 128.0  # the normalization that the ImageNet weights were trained with
BATCH = 16


class Pairs(keras.utils.PyDataset):
    """Batches of pairs. A pair depends on seed, epoch and position alone, wherever training starts."""

    def __init__(
        self,
        samples: Sequence[Sample],
        size_px: int,
        classes: int,
        seed: int,
        epoch: int = 0,
        mixture: Mixture | None = None,
    ) -> None:
        """Prepare the samples.

        Args:
            samples: What to draw from.
            size_px: Side of the square pairs.
            classes: 1 for object against background, with targets of 0 to 1; more for class ids.
            seed: Of the run.
            epoch: The first epoch.
            mixture: The shares of composed scenes, mosaics and scenes without an object.
        """
        super().__init__(workers=1, max_queue_size=8)
        self.augmenter = Augmenter(samples, classes == 1, mixture)
        self.size_px, self.classes, self.seed, self.epoch = size_px, classes, seed, epoch

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return batches_per_epoch(self.augmenter.shown)

    def __getitem__(self, batch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the photos and targets of a batch, float32 (N, size, size, 3) and (N, size, size, 1)."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.augmenter.shown))
        positions = range(batch * BATCH, (batch + 1) * BATCH)
        pairs = [
            self.augmenter.draw(
                int(order[position % len(order)]),
                self.size_px,
                np.random.default_rng([self.seed, self.epoch, position]),
            )
            for position in positions
        ]
        photos = np.stack([np.asarray(photo, np.float32) for photo, _ in pairs])
        values = np.stack([np.asarray(target, np.float32) for _, target in pairs])
        highest = np.float32(255 if self.classes == 1 else 1)
        return (photos - np.float32(MEAN)) / np.float32(STD), values[..., None] / highest

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's pairs."""
        self.epoch += 1


def batches_per_epoch(samples: Sequence[Sample]) -> int:
    """Return the number of batches in an epoch: one pair for each photo that shows an object."""
    return max(1, sum(sample.mask_file is not None for sample in samples) // BATCH)
