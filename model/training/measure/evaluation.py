"""Evaluation of one model on photos with masks, by the steps that a request takes in the function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.image import overlap_tile, preprocess, score_map
from model.image.score_map import ScoreMap
from model.tflite.card import ModelCard
from model.tflite.tensor_specs import InputSpec
from model.training import cli
from model.training.cli import CommandError
from model.training.data.masks import UNLABELLED
from model.training.data.samples import Sample
from model.training.measure import metrics
from model.training.measure.latency import Measurement
from model.training.measure.model_input import read_input, read_pixels


@dataclass(frozen=True)
class Candidate:
    """A model to evaluate.

    Attributes:
        file: The model's file, or its SavedModel folder.
        infer: The model as a function from float32 of the input's axes to (1, h', w', K) scores or class ids.
        input: Spec of its input.
        classes: K, the channels of its output.
        card: Its model card.
        size_bytes: Size of the file, or of all files in the folder.
        sha256: SHA-256 of the file in hexadecimal; empty for a folder.
        is_assumed: Whether the normalization of the card is an assumption.
    """

    file: Path
    infer: Callable[[NDArray[np.float32]], NDArray[Any]]
    input: InputSpec
    classes: int
    card: ModelCard
    size_bytes: int
    sha256: str
    is_assumed: bool = False

    @property
    def object_id(self) -> int:
        """The id of the object, if there are two classes."""
        return 0 if self.card.background == 1 else 1

    def scores(self, sample: Sample) -> ScoreMap:
        """Return the scores of a photo."""
        input_wh = self.input.size_for(sample.photo.size)
        box = preprocess.photo_box(sample.photo.size, input_wh, self.card.fit)
        if self.card.border:
            pixels = read_pixels(sample.photo_file, input_wh)
            values = overlap_tile.infer(lambda x: self.infer(x)[0], pixels, input_wh, self.card, self.input.as_float())
        else:
            values = self.infer(read_input(sample.photo_file, self.input, self.card))[0]
        return score_map.from_values(values, self.card, input_wh, box)

    def class_ids(self, scores: ScoreMap, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
        """Return the mask of a photo as class ids, uint8 (H, W), from its scores and its size."""
        return scores.class_ids(size_wh, self.card.threshold)


@dataclass(frozen=True)
class Evaluation:
    """The results of a model on a set of photos.

    Attributes:
        candidate: The model.
        photo_iou: For each photo by name, the IoU of the object, or the mean over the classes if there are more than 2.
        class_iou: For each class, the mean of the photos' IoUs over the labelled pixels, at the card's threshold.
        pooled_iou: For each class, the IoU over the pixels of all photos together.
        border_iou: The object's IoU at the best threshold if unlabelled pixels count as object; None if the masks
            have no unlabelled pixels or more than 2 classes.
        border_threshold: The threshold of `border_iou`, from 0 to 1.
        boundary_f: The mean F-score of the masks' outlines.
        false_positive_share: For each photo without an object by name, the share of its pixels that the mask marks.
        measurements: Latency and memory in each runtime.
    """

    candidate: Candidate
    photo_iou: dict[str, float]
    class_iou: list[float]
    pooled_iou: list[float]
    border_iou: float | None
    border_threshold: float | None
    boundary_f: float
    false_positive_share: dict[str, float]
    measurements: list[Measurement] = field(default_factory=list)

    @property
    def iou(self) -> float:
        """The figure by which models are compared: the object's IoU, or the mean over more than 2 classes."""
        return (
            self.class_iou[self.candidate.object_id] if len(self.class_iou) == 2 else float(np.nanmean(self.class_iou))
        )


@dataclass(frozen=True)
class _PhotoResult:
    """The results on one photo: `metrics.confusion`, `metrics.boundary_f` and, for 2 classes, `border_curve`."""

    confusion: metrics.Counts
    boundary_f: float
    border_curve: NDArray[np.float64] | None
    has_unlabelled: bool


def evaluate(candidate: Candidate, samples: Sequence[Sample], negatives: Sequence[Sample] = ()) -> Evaluation:
    """Compare a model's masks with the true masks.

    Args:
        candidate: The model.
        samples: Photos with masks; at least one.
        negatives: Photos without an object.

    Returns:
        The results.

    Raises:
        CommandError: If a mask has classes that the model does not have, or a photo cannot be decoded.
    """
    results = [_evaluate_photo(candidate, sample) for sample in cli.progress(samples, candidate.file.name)]
    ious = np.array([metrics.ious(result.confusion) for result in results])
    photo_iou = ious[:, candidate.object_id] if ious.shape[1] == 2 else metrics.nan_mean(ious, axis=1)
    curves = [result.border_curve for result in results if result.border_curve is not None]
    curve = np.mean(curves, axis=0) if any(result.has_unlabelled for result in results) and curves else None
    return Evaluation(
        candidate=candidate,
        photo_iou={sample.name: float(iou) for sample, iou in zip(samples, photo_iou, strict=True)},
        class_iou=metrics.nan_mean(ious, axis=0).tolist(),
        pooled_iou=metrics.ious(np.sum([result.confusion for result in results], axis=0)).tolist(),
        border_iou=None if curve is None else float(curve.max()),
        border_threshold=None if curve is None else float(curve.argmax() / 255),
        boundary_f=float(np.mean([result.boundary_f for result in results])),
        false_positive_share={sample.name: _marked_share(candidate, sample) for sample in negatives},
    )


def _evaluate_photo(candidate: Candidate, sample: Sample) -> _PhotoResult:
    classes = max(2, candidate.classes)
    truth = np.asarray(sample.ids)
    if truth[truth != UNLABELLED].max(initial=0) >= classes:
        raise CommandError(
            f"the mask of {sample.name} has class ids that {candidate.file.name}, with {classes} classes, does not have"
        )
    scores, size_wh = candidate.scores(sample), (truth.shape[1], truth.shape[0])
    mask = candidate.class_ids(scores, size_wh)
    curve = (
        metrics.border_curve(scores.probability(size_wh, 1), truth) if classes == 2 and candidate.object_id else None
    )
    return _PhotoResult(
        metrics.confusion(mask, truth, classes),
        metrics.boundary_f(mask, truth),
        curve,
        bool((truth == UNLABELLED).any()),
    )


def _marked_share(candidate: Candidate, sample: Sample) -> float:
    """Return the share of a photo's pixels that the mask does not assign to the background."""
    mask = candidate.class_ids(candidate.scores(sample), sample.photo.size)
    return float(np.count_nonzero(mask != (candidate.card.background or 0)) / mask.size)
