"""Results by group of photos, each with a confidence interval.

The groups are the photos of each folder, those of breeds that no training photo shows, composed scenes, and photos
without an object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.training.data import split
from model.training.data.samples import Sample
from model.training.measure.evaluation import Evaluation

MISSED_IOU = 0.5  # a lower IoU counts as an object that is missed
MARKED_SHARE = 0.02  # of the pixels: more counts as a false detection in a photo without an object
RESAMPLES = 2000


@dataclass(frozen=True)
class GroupResult:
    """A model's result on a group of photos.

    Attributes:
        group: The group's name.
        photos: Number of photos.
        iou: Mean IoU of the object; None for photos without an object.
        failed: Share of the photos with an IoU below MISSED_IOU, or, without an object, with more than MARKED_SHARE
            of the pixels marked.
        low: Lower end of the 95 % interval of `iou`, or of `failed` for photos without an object.
        high: Its upper end.
    """

    group: str
    photos: int
    iou: float | None
    failed: float
    low: float
    high: float


def group_photos(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Return the samples by group: the breeds of `split.TEST_BREEDS` as "new breeds", others by the photos' folder.

    A folder named "images" or "photos" is called by its parent's name.
    """
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        folder = sample.photo_file.parent
        name = folder.parent.name if folder.name in ("images", "photos") else folder.name
        groups.setdefault("new breeds" if split.breed(sample.name) in split.TEST_BREEDS else name, []).append(sample)
    return groups


def results(groups: Mapping[str, Sequence[Sample]], evaluation: Evaluation) -> list[GroupResult]:
    """Return a model's result on each group, and on the photos without an object if there are any.

    Args:
        groups: Samples by group; the evaluation has covered them all.
        evaluation: The model's results by photo.
    """
    rows = []
    for name, samples in groups.items():
        ious = [evaluation.photo_iou[sample.name] for sample in samples]
        failed = float(np.mean([iou < MISSED_IOU for iou in ious]))
        rows.append(GroupResult(name, len(ious), float(np.mean(ious)), failed, *bootstrap_interval(ious)))
    marked = [float(share > MARKED_SHARE) for share in evaluation.false_positive_share.values()]
    if marked:
        rows.append(GroupResult("no object", len(marked), None, float(np.mean(marked)), *bootstrap_interval(marked)))
    return rows


def bootstrap_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean (Efron and Tibshirani 1993)."""
    rng = np.random.default_rng(seed)
    means = rng.choice(values, (RESAMPLES, len(values))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def table(model: str, rows: Sequence[GroupResult]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        f"| {model} | photos | IoU | failed | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        iou = "" if row.iou is None else f"{row.iou:.4f}"
        interval = f"{row.low:.3f} to {row.high:.3f}"
        lines.append(f"| {row.group} | {row.photos} | {iou} | {row.failed:.1%} | {interval} |")
    return "\n".join(lines)
