"""Train the network on a folder of photos and masks: `python -m model.training.train --help`."""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from PIL import Image

from model.training import augment, dataset, imagenet, network

MEAN, STD = 127.0, 128.0  # what the ImageNet weights were trained with
BATCH = 16


class Pairs(keras.utils.PyDataset):
    """Batches of random pairs; the same seed draws the same pairs, epoch by epoch."""

    def __init__(self, samples: list[dataset.Sample], size_px: int, seed: int, epoch: int = 0) -> None:
        super().__init__(workers=1, max_queue_size=8)
        self.augmenter = augment.Augmenter(samples)
        self.size_px, self.seed, self.epoch = size_px, seed, epoch

    def __len__(self) -> int:
        return max(1, len(self.augmenter.samples) // BATCH)

    def __getitem__(self, batch: int) -> tuple[NDArray[Any], NDArray[Any]]:
        rng = np.random.default_rng([self.seed, self.epoch, batch])
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.augmenter.samples))
        indices = np.resize(order, BATCH * len(self))[batch * BATCH : (batch + 1) * BATCH]
        pairs = [self.augmenter.draw(int(i), self.size_px, rng) for i in indices]
        photos = np.stack([np.asarray(photo, np.float32) for photo, _ in pairs])
        targets = np.stack([np.asarray(target, np.float32) for _, target in pairs])
        return (photos - MEAN) / STD, targets[..., None] / 255

    def on_epoch_end(self) -> None:
        self.epoch += 1


def loss(target: Any, scores: Any) -> Any:
    """Add binary cross-entropy to soft IoU, the border counting as one half (Rahman and Wang 2016).

    target, scores: float32 (N, h, w, 1), 0 to 1
    returns: float32 (N,)
    """
    entropy = ops.mean(keras.losses.binary_crossentropy(target, scores), axis=(1, 2))
    floor = 0.002 * scores.shape[1] * scores.shape[2]
    overlap = ops.sum(target * scores, axis=(1, 2, 3))
    union = ops.sum(target + scores - target * scores, axis=(1, 2, 3))
    return entropy + 0.5 * (1 - (overlap + floor) / (union + floor))


class Validate(keras.callbacks.Callback):
    """Measure IoU on the photos held out, keep the history, and save the model whenever an epoch ends."""

    def __init__(self, samples: list[dataset.Sample], out: Path, every: int) -> None:
        super().__init__()
        self.samples, self.out, self.every = samples, out, every

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if (epoch + 1) % self.every and epoch + 1 != self.params["epochs"]:
            return
        figures = iou(self.model, self.samples)
        print(f"\nepoch {epoch + 1}: " + ", ".join(f"{k} {v:.4f}" for k, v in figures.items()), flush=True)
        log = self.out / "history.csv"
        new = not log.exists()
        with log.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["epoch", "loss", *figures])
            writer.writerow([epoch + 1, logs["loss"], *figures.values()])
        self.model.save(self.out / "model.h5", include_optimizer=False)


def iou(model: keras.Model, samples: list[dataset.Sample]) -> dict[str, float]:
    """Measure the mean per-image IoU of the object, at each photo's own size.

    returns: over the classified pixels at threshold 0.5; with the border as object at its best threshold
    """
    thresholds = np.arange(0.05, 0.96, 0.05)
    size_wh = model.input_shape[2:0:-1]
    classified, bordered = [], []
    for sample in samples:
        small = sample.photo.resize(size_wh, Image.Resampling.BILINEAR, reducing_gap=2.0)
        scores = model((np.asarray(small, np.float32)[None] - MEAN) / STD, training=False)
        grey = Image.fromarray((np.asarray(scores)[0, ..., 0] * 255).round().astype(np.uint8))
        large = np.asarray(grey.resize(sample.photo.size, Image.Resampling.BILINEAR)) / 255
        target = np.asarray(sample.target)
        known = target != 128
        classified.append(_iou(large[known] >= 0.5, target[known] == 255))
        bordered.append([_iou(large >= t, target > 0) for t in thresholds])
    means = np.mean(bordered, axis=0)
    best = int(means.argmax())
    return {
        "iou": float(np.mean(classified)),
        "border_iou": float(means[best]),
        "border_threshold": float(thresholds[best]),
    }


def _iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def rate(step: int, steps: int, peak: float) -> float:
    """Give the learning rate of a step: a short rise, then half a cosine down to nothing."""
    rise = min(1.0, (step + 1) / min(100, steps / 10))
    return peak * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


class Rate(keras.callbacks.Callback):
    """Set the learning rate before each step of the whole run."""

    def __init__(self, steps_before: int, steps: int, peak: float) -> None:
        super().__init__()
        self.step, self.steps, self.peak = steps_before, steps, peak

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.model.optimizer.learning_rate.assign(rate(self.step, self.steps, self.peak))
        self.step += 1


def main() -> None:
    """Train in two parts: most epochs at three quarters of the size, which is half the work, then full size."""
    parser = argparse.ArgumentParser(prog="python -m model.training.train", description=__doc__.split(":")[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("training-out"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=70)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peak-rate", type=float, default=1.5e-3)
    parser.add_argument("--leave-out", metavar="PREFIX", help="validate on the photos of this name alone")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    samples = dataset.load(args.photos, args.masks)
    train, held = dataset.split(samples)
    if args.leave_out:
        train = [s for s in samples if not s.name.startswith(args.leave_out)]
        held = [s for s in samples if s.name.startswith(args.leave_out)]
    print(f"{len(train)} photos to train on, {len(held)} held out", flush=True)
    keras.utils.set_random_seed(args.seed)
    steps = args.epochs * max(1, len(train) // BATCH)
    switch = int(args.epochs * 0.65)
    weights = None
    for size_px, first, last in ((int(args.size * 0.75) // 32 * 32, 0, switch), (args.size, switch, args.epochs)):
        model = network.build(size_px)
        if weights is None:
            network.load_imagenet(model, imagenet.read(imagenet.path()))
        else:
            model.set_weights(weights)
        optimizer = keras.optimizers.AdamW(
            args.peak_rate, weight_decay=1e-3, global_clipnorm=5.0, use_ema=True, ema_momentum=0.997
        )
        model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
        pairs = Pairs(train, size_px, args.seed, first)
        ema = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
        callbacks = [Rate(first * len(pairs), steps, args.peak_rate), ema, Validate(held, args.out, every=5)]
        model.fit(pairs, initial_epoch=first, epochs=last, callbacks=callbacks, verbose=2)
        weights = model.get_weights()


if __name__ == "__main__":
    main()
