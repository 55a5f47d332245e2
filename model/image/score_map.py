"""The model's scores of one photo, and what is computed from them at the photo's own size.

Scores are enlarged first and thresholded (or compared) afterwards, so that outlines are smooth at the photo's size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.image import outline, resize, tiling
from model.image.activation import apply_activation, score_table
from model.image.resize import Box
from model.tflite.card import ModelCard
from model.tflite.tensor_specs import OutputSpec

SOFT_EDGE = 0.2  # range of scores around the threshold over which a cutout fades from transparent to opaque
TILE_PX = 256  # side of the tiles in which many classes are compared: this bounds the memory


@dataclass(frozen=True)
class ScoreMap:
    """The scores of one photo at the model's output resolution.

    Attributes:
        scores: float32 (h, w, K), 0 to 1, one channel per class; K = 1 holds the score of the object alone.
            With `table`, int8 or uint8 (h, w, K), the bytes that the model stores.
            Or uint8 (h, w) class ids, from models that choose the class themselves.
        background: Id of the class that is not an object; None if every class is one.
        box: The part of the scores that shows the photo, without letterbox bars, in pixels of the scores;
            None for all of them.
        table: float32 (256,), the score of each byte, by the byte without a sign; None if `scores` holds scores.
    """

    scores: NDArray[Any]
    background: int | None = 0
    box: Box | None = None
    table: NDArray[np.float32] | None = None

    @property
    def object_id(self) -> int:
        """The id of the object, if there are two classes."""
        return 0 if self.background == 1 else 1

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the part of the scores that shows the photo, in whole pixels, at least 1."""
        left, top, right, bottom = self._bounds
        return max(1, round(right - left)), max(1, round(bottom - top))

    @property
    def _single_channel(self) -> bool:
        return self.scores.ndim == 3 and self.scores.shape[-1] == 1

    @property
    def _has_threshold(self) -> bool:
        """Whether a threshold on the object's score decides the class: there are two classes, with scores."""
        return self.scores.ndim == 3 and self.scores.shape[-1] <= 2

    @property
    def _bounds(self) -> Box:
        return self.box or (0, 0, self.scores.shape[1], self.scores.shape[0])

    def probability(self, size_wh: tuple[int, int], class_id: int | None = None) -> NDArray[np.uint8]:
        """Return the probability of a class at each pixel of the photo.

        Args:
            size_wh: Width and height of the result.
            class_id: The class; None for all but the background.

        Returns:
            uint8 (H, W), 0-255 for 0 to 1.
        """
        if class_id is None and self.background is None:
            return np.full(size_wh[::-1], 255, np.uint8)
        probability = np.empty(size_wh[::-1], np.uint8)
        for rows, band in self._enlarged_bands(class_id, size_wh):
            probability[rows] = band
        return probability

    def alpha(self, size_wh: tuple[int, int], threshold: float, class_id: int | None = None) -> NDArray[np.uint8]:
        """Return the opacity of a cutout: a linear ramp of the probability, centred on the threshold.

        Args:
            size_wh: Width and height of the result.
            threshold: The probability at which the cutout is half opaque, 0 to 1.
            class_id: The class to cut out; None for all but the background.

        Returns:
            uint8 (H, W), from 0, transparent, to 255, opaque.
        """
        ramp = (np.arange(256) / 255 - threshold) / SOFT_EDGE + 0.5
        table = (ramp.clip(0, 1) * 255).round().astype(np.uint8)
        return table[self.probability(size_wh, class_id)]

    def class_ids(self, size_wh: tuple[int, int], threshold: float) -> NDArray[np.uint8]:
        """Return the class of each pixel of the photo.

        Args:
            size_wh: Width and height of the result.
            threshold: The score from which a pixel belongs to the object, 0 to 1. Used for two classes only; among
                more, the class with the highest score wins.

        Returns:
            uint8 (H, W) class ids.
        """
        if not self._has_threshold:
            return _argmax_tiled(self.scores, self.table, size_wh, self._bounds)
        inside = np.unpackbits(self._packed_object(size_wh, threshold), axis=1, count=size_wh[0])
        return inside ^ np.uint8(1) if self.object_id == 0 else inside

    def packed(self, size_wh: tuple[int, int], threshold: float, class_id: int) -> NDArray[np.uint8]:
        """Return which pixels of the photo belong to a class, eight to a byte.

        Args:
            size_wh: Width and height of the result.
            threshold: As for `class_ids`.
            class_id: The class.

        Returns:
            uint8 (H, W / 8 rounded up), the first pixel in the most significant bit, padded with zeros.
        """
        if self._has_threshold and class_id == self.object_id:
            return self._packed_object(size_wh, threshold)
        return np.packbits(self.class_ids(size_wh, threshold) == class_id, axis=1)

    def _packed_object(self, size_wh: tuple[int, int], threshold: float) -> NDArray[np.uint8]:
        """Return which pixels belong to the object, where there are two classes, packed."""
        levels = self._levels(self.object_id)
        return outline.packed_inside(levels, threshold_level(threshold), size_wh, self._bounds)

    def _enlarged_bands(
        self, class_id: int | None, size_wh: tuple[int, int]
    ) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
        """Enlarge the scores of a class, or of all but the background, band by band.

        Masks and probabilities use the same bands: other bands would round some pixels to the next level, and a
        mask would differ from the thresholded probability.
        """
        levels = self._levels(class_id)
        left, top, right, bottom = self._bounds
        for rows, start, stop in tiling.bands(size_wh[1], top, bottom):
            yield rows, resize.bilinear(levels, (size_wh[0], rows.stop - rows.start), (left, start, right, stop))

    def _levels(self, class_id: int | None) -> NDArray[np.uint8]:
        """Return the scores of a class, or of all but the background, as uint8 (h, w)."""
        if self.scores.ndim == 2:
            inside = self.scores != self.background if class_id is None else self.scores == class_id
            return np.where(inside, np.uint8(255), np.uint8(0))
        if self._single_channel:
            scores, is_complement = self.scores[..., 0], class_id is not None and class_id == self.background
        elif class_id is None:
            scores, is_complement = self.scores[..., self.background], True
        else:
            scores, is_complement = self.scores[..., class_id], False
        if self.table is None:
            return _to_levels(scores, is_complement)
        return _to_levels(self.table, is_complement).take(scores.view(np.uint8))


def from_output(
    output: NDArray[Any], spec: OutputSpec, card: ModelCard, input_wh: tuple[int, int], photo_box: Box
) -> ScoreMap:
    """Interpret the model's output tensor.

    Args:
        output: The tensor, of the spec's axes and dtype.
        spec: What the tensor's axes and values are.
        card: What the values mean.
        input_wh: Width and height of the input that the output belongs to.
        photo_box: The part of that input that shows the photo, in its pixels.

    Returns:
        The scores of the photo.
    """
    return from_stored(to_hwk(output, spec, input_wh), spec, card, input_wh, photo_box)


def from_stored(
    stored: NDArray[Any], spec: OutputSpec, card: ModelCard, input_wh: tuple[int, int], photo_box: Box
) -> ScoreMap:
    """Interpret the model's output, rearranged to (h, w, K); arguments and result are those of `from_output`."""
    table = score_table(spec, card)
    if table is not None:
        return ScoreMap(stored, card.background, _scores_box(stored, input_wh, photo_box), table)
    return from_values(stored if card.activation == "ids" else spec.dequantize(stored), card, input_wh, photo_box)


def from_values(values: NDArray[Any], card: ModelCard, input_wh: tuple[int, int], photo_box: Box) -> ScoreMap:
    """Interpret the model's output, rearranged and dequantized.

    Args:
        values: As for `apply_activation`. They cover all of the input.
        card: What the values mean.
        input_wh: Width and height of the input that the output belongs to.
        photo_box: The part of that input that shows the photo, in its pixels.

    Returns:
        The scores of the photo.
    """
    scores = apply_activation(values, card)
    return ScoreMap(scores, card.background, _scores_box(scores, input_wh, photo_box))


def _scores_box(scores: NDArray[Any], input_wh: tuple[int, int], photo_box: Box) -> Box:
    """Return the part of the scores that shows the photo, from that part of the input."""
    x, y = scores.shape[1] / input_wh[0], scores.shape[0] / input_wh[1]
    left, top, right, bottom = photo_box
    return left * x, top * y, right * x, bottom * y


def to_hwk(output: NDArray[Any], spec: OutputSpec, input_wh: tuple[int, int]) -> NDArray[Any]:
    """Rearrange an output tensor's axes.

    Args:
        output: The tensor, of the spec's axes.
        spec: What the tensor's axes are.
        input_wh: Width and height of the input that the output belongs to.

    Returns:
        The same values as (h, w, K); K = 1 for a tensor without an axis of classes.
    """
    axes = spec.axes.replace("1", "")
    values = output.reshape([side for axis, side in zip(spec.axes, output.shape, strict=True) if axis != "1"])
    if "F" in axes:
        at = axes.index("F")
        width, height = input_wh if input_wh[0] * input_wh[1] == values.shape[at] else spec.size_wh
        values = values.reshape(*values.shape[:at], height, width, *values.shape[at + 1 :])
        axes = axes.replace("F", "HW")
    if "K" not in axes:
        return values[..., np.newaxis]
    return values.transpose([axes.index(axis) for axis in "HWK"])


def threshold_level(threshold: float) -> int:
    """Return the lowest 8-bit level, 1 to 255, that reaches a threshold from 0 to 1."""
    return max(1, math.ceil(threshold * 255))


def _argmax_tiled(
    scores: NDArray[Any], table: NDArray[np.float32] | None, size_wh: tuple[int, int], box: Box
) -> NDArray[np.uint8]:
    """Return the class with the highest enlarged score at each pixel, computed tile by tile.

    The bytes that a model stores are compared as they are, since the table keeps their order. Within a tile, only
    classes that win at some pixel of the scores are enlarged; where one wins everywhere, none is.
    """
    winners = scores if scores.ndim == 2 else scores.argmax(axis=-1).astype(np.uint8)
    height, width = winners.shape
    if size_wh == (width, height) and box == (0, 0, width, height):
        return winners
    ids = np.empty(size_wh[::-1], np.uint8)
    for tile in tiling.tiles((height, width), size_wh, box, TILE_PX):
        candidates = np.unique(winners[tile.source])
        if candidates.size == 1:
            ids[tile.target] = candidates[0]
        else:
            tile_hw = ids[tile.target].shape
            part_wh = tile_hw[1], tile_hw[0]
            ids[tile.target] = _argmax_tile(scores[tile.source], table, candidates, part_wh, tile.box)
    return ids


def _argmax_tile(
    scores: NDArray[Any],
    table: NDArray[np.float32] | None,
    candidates: NDArray[np.uint8],
    size_wh: tuple[int, int],
    box: Box,
) -> NDArray[np.uint8]:
    """Return the candidate with the highest enlarged score at each pixel of a tile; of equal ones, the lowest id."""
    ids = np.full(size_wh[::-1], candidates[0], np.uint8)
    highest = resize.bilinear(_class_scores(scores, table, candidates[0]), size_wh, box)
    for class_id in candidates[1:]:
        enlarged = resize.bilinear(_class_scores(scores, table, class_id), size_wh, box)
        ids[enlarged > highest] = class_id
        highest = np.maximum(highest, enlarged)
    return ids


def _class_scores(scores: NDArray[Any], table: NDArray[np.float32] | None, class_id: np.uint8) -> NDArray[np.float32]:
    if scores.ndim == 2:
        return np.asarray(scores == class_id, np.float32)
    if table is not None:
        return table.take(scores[..., class_id].view(np.uint8))
    return np.ascontiguousarray(scores[..., class_id], np.float32)


def _to_levels(scores: NDArray[Any], is_complement: bool) -> NDArray[np.uint8]:
    """Return scores, or what they leave of 1, as levels of 0 to 255."""
    if is_complement:
        scores = 1 - scores
    levels: NDArray[np.uint8] = (scores.clip(0, 1) * 255).round().astype(np.uint8)
    return levels
