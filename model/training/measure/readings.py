"""Readings of a photo: the ways in which it may become a model's input, ranked by the masks that they give.

A .tflite does not state how its input is to be normalized, and a wrong reading raises no error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.image import preprocess, score_map
from model.tflite.card import FITS, ModelCard
from model.tflite.loading import LoadedModel
from model.tflite.tensor_specs import InputSpec
from model.training.measure import metrics

# Mean and standard deviation by the names of --preprocess, in the order of red, green, blue, for pixels of 0 to 255.
NORMALIZATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "0-1": ((0.0,) * 3, (255.0,) * 3),
    "minus1-1": ((127.5,) * 3, (127.5,) * 3),
    "none": ((0.0,) * 3, (1.0,) * 3),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "caffe": ((123.68, 116.779, 103.939), (1.0,) * 3),
}
RAW_FACTOR = 0.9  # of the stability of raw bytes, which saturate a model of another reading: its masks look stable
CARD_NAME = "as in the card"
ALMOST_ALL = 0.98  # share of pixels of one class from which on a mask is of one class: it is stable and says nothing
BRIGHTNESS = 1.25
SHIFT = 1 / 16  # of the photo's width and height
RANGE_TOLERANCE = 0.05  # share of the range of an 8-bit input that a reading may leave

Pixels = NDArray[np.uint8]
Ids = NDArray[np.uint8]
Segment = Callable[[Pixels, ModelCard], Ids]


@dataclass(frozen=True)
class Reading:
    """A way to make a photo the input of a model.

    Attributes:
        name: What it is called in the picture and in the ranking.
        values: The fields of a card that state it: order, mean, std and fit.
    """

    name: str
    values: dict[str, Any]


@dataclass(frozen=True)
class RankedReading:
    """A reading and its masks.

    Attributes:
        reading: The reading.
        score: 0 to 1: the IoU with the true mask, or the stability of the masks.
        masks: A mask for each photo, uint8 (H, W) class ids.
    """

    reading: Reading
    score: float
    masks: list[Ids]


def plausible(spec: InputSpec, card: ModelCard) -> list[Reading]:
    """Return the readings to compare: first that of the card, then those of widespread training code.

    Args:
        spec: Spec of the model's input. A grey one has no order and one number for all channels; an 8-bit one excludes
            readings whose values it cannot represent.
        card: The model's card.
    """
    readings = []
    for order in ("RGB", "BGR") if spec.channels == 3 else ("RGB",):
        for name, (mean, std) in NORMALIZATIONS.items():
            if spec.channels == 1 and len({*mean}) > 1:
                continue
            step = 1 if order == "RGB" else -1
            for fit in FITS:
                values = {"order": order, "mean": mean[::step], "std": std[::step], "fit": fit}
                readings.append(Reading(f"{order} {name} {fit}" if spec.channels == 3 else f"{name} {fit}", values))
    current = {name: getattr(card, name) for name in ("order", "mean", "std", "fit")}
    if spec.channels == 1:
        current |= {"mean": current["mean"] * 3, "std": current["std"] * 3}
    names = [reading.name for reading in readings if reading.values == current]
    others = [reading for reading in readings if reading.values != current and _representable(spec, reading)]
    return [Reading(f"{names[0]}, {CARD_NAME}" if names else CARD_NAME, current), *others]


def _representable(spec: InputSpec, reading: Reading) -> bool:
    """Return whether an 8-bit input can represent the values of a reading; any other input can."""
    if spec.dtype.itemsize > 1 or not spec.scale:
        return True
    limits = np.iinfo(spec.dtype)
    low, high = ((limit - spec.zero_point) * spec.scale for limit in (limits.min, limits.max))
    ends = [
        (end - mean) / std
        for end in (0, 255)
        for mean, std in zip(*(reading.values[n] for n in ("mean", "std")), strict=True)
    ]
    tolerance = RANGE_TOLERANCE * (high - low)
    return bool(low - tolerance <= min(ends) and max(ends) <= high + tolerance)


def segmenter(model: LoadedModel) -> Segment:
    """Return a loaded model as a function from a photo and a card to a mask of the photo's size."""

    def segment(pixels: Pixels, card: ModelCard) -> Ids:
        photo_wh = pixels.shape[1], pixels.shape[0]
        input_wh = model.input.size_for(photo_wh)
        with model.pool.borrow(0) as interpreter:
            output = model.pool.run(interpreter, preprocess.to_input(pixels, input_wh, card, model.input))
        box = preprocess.photo_box(photo_wh, input_wh, card.fit)
        return score_map.from_output(output, model.output, card, input_wh, box).class_ids(photo_wh, card.threshold)

    return segment


def with_reading(card: ModelCard, reading: Reading, spec: InputSpec) -> ModelCard:
    """Return the card with the values of a reading."""
    numbers = {name: reading.values[name][: spec.channels] for name in ("mean", "std")}
    return card.with_values({**reading.values, **numbers})


def score(segment: Segment, card: ModelCard, photo: Pixels, mask: Ids, truth: Ids | None) -> float:
    """Return how good a mask is: its IoU with the true mask, or else its stability.

    Args:
        segment: The model.
        card: The card with the reading.
        photo: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W), the model's mask of the photo.
        truth: uint8 (H, W), the true mask; None if there is none.
    """
    if truth is not None:
        ious = metrics.ious(metrics.confusion(mask, truth, len(card.labels)))
        return float(ious[1 - (card.background or 0)] if len(ious) == 2 else metrics.nan_mean(ious, 0))
    return stability(segment, card, photo, mask)


def stability(segment: Segment, card: ModelCard, photo: Pixels, mask: Ids) -> float:
    """Return how little a mask changes when the photo is mirrored, brightened and shifted.

    Returns:
        The mean agreement, 0 to 1; 0 for a mask of almost one class alone; lower for raw bytes, by RAW_FACTOR.
    """
    if np.bincount(mask.ravel()).max() >= ALMOST_ALL * mask.size:
        return 0.0
    agreements = [
        agreement(segment(variant, card), expected, card.background) for variant, expected in variants(photo, mask)
    ]
    is_raw = set(card.mean) == {0.0} and set(card.std) == {1.0}
    return float(np.mean(agreements)) * (RAW_FACTOR if is_raw else 1)


def variants(photo: Pixels, mask: Ids) -> Iterator[tuple[Pixels, Ids]]:
    """Yield changed photos, each with the mask that a stable model gives: mirrored, brightened, shifted."""
    yield np.ascontiguousarray(photo[:, ::-1]), mask[:, ::-1]
    yield (photo * np.float32(BRIGHTNESS)).clip(0, 255).astype(np.uint8), mask
    down, right = (max(1, round(side * SHIFT)) for side in mask.shape)
    yield np.ascontiguousarray(photo[down:, right:]), mask[down:, right:]


def agreement(mask: Ids, other: Ids, background: int | None) -> float:
    """Return the share of pixels of the same class, among those that one of two masks assigns to an object."""
    is_object = np.ones(mask.shape, bool) if background is None else (mask != background) | (other != background)
    return float((mask == other)[is_object].mean()) if is_object.any() else 0.0


def rank(
    model: LoadedModel,
    photos: Sequence[Pixels],
    truths: Sequence[Ids | None],
    progress: Callable[[Sequence[Reading]], Iterator[Reading]] = iter,
) -> list[RankedReading]:
    """Compare the plausible readings of photos.

    Args:
        model: The model.
        photos: uint8 (H, W, 3) RGB each.
        truths: The true mask of each photo, uint8 (H, W); None for those without one.
        progress: Iterates over the readings.

    Returns:
        The readings, the best first.
    """
    segment, ranked = segmenter(model), []
    for reading in progress(plausible(model.input, model.card)):
        card = with_reading(model.card, reading, model.input)
        masks = [segment(photo, card) for photo in photos]
        scores = [score(segment, card, *each) for each in zip(photos, masks, truths, strict=True)]
        ranked.append(RankedReading(reading, float(np.mean(scores)), masks))
    return sorted(ranked, key=lambda each: -each.score)
