from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.training.data.masks import UNLABELLED
from model.training.measure import metrics


def square(size: int, x: int, side: int) -> NDArray[np.uint8]:
    """Return class ids of a square with 10 rows above it, and x columns to its left."""
    ids = np.zeros((size, size), np.uint8)
    ids[10 : 10 + side, x : x + side] = 1
    return ids


def test_iou_counts_only_labelled_pixels() -> None:
    truth, mask = square(40, 10, 10), square(40, 15, 10)
    assert metrics.ious(metrics.confusion(mask, truth, 2))[1] == pytest.approx(50 / 150)
    truth[truth != mask] = UNLABELLED
    assert metrics.ious(metrics.confusion(mask, truth, 2)).tolist() == [1, 1]


def test_an_absent_class_that_is_not_predicted_has_iou_1_for_two_classes_and_none_for_three() -> None:
    empty = np.zeros((4, 4), np.uint8)
    assert metrics.ious(metrics.confusion(empty, empty, 2)).tolist() == [1, 1]
    assert np.isnan(metrics.ious(metrics.confusion(empty, empty, 3))[1:]).all()
    assert metrics.ious(metrics.confusion(square(40, 5, 5), np.zeros((40, 40), np.uint8), 2))[1] == 0


def test_the_mean_ignores_nan() -> None:
    values = np.array([[1.0, np.nan, np.nan], [0.0, 0.5, np.nan]])
    np.testing.assert_array_equal(metrics.nan_mean(values, axis=0), [0.5, 0.5, np.nan])


def test_the_border_curve_is_the_iou_at_every_threshold() -> None:
    rng = np.random.default_rng(0)
    probability = rng.integers(0, 256, (30, 20), np.uint8)
    truth = rng.choice([0, 1, UNLABELLED], (30, 20)).astype(np.uint8)
    curve = metrics.border_curve(probability, truth)
    for level in (0, 1, 100, 255):
        predicted, expected = probability >= level, truth > 0
        assert curve[level] == pytest.approx((predicted & expected).sum() / (predicted | expected).sum())


def test_close_outlines_agree_and_distant_ones_do_not() -> None:
    truth = square(200, 50, 80)  # outlines within 2 pixels agree
    assert metrics.boundary_f(truth, truth) == 1
    assert metrics.boundary_f(square(200, 52, 80), truth) == 1
    assert metrics.boundary_f(square(200, 60, 80), truth) < 0.7
    assert metrics.boundary_f(np.zeros_like(truth), truth) == 0
    assert metrics.boundary_f(np.zeros_like(truth), np.zeros_like(truth)) == 1


def test_an_outline_in_unlabelled_pixels_is_not_evaluated() -> None:
    truth = square(200, 50, 80)
    truth[:, 45:75][truth[:, 45:75] == 1] = UNLABELLED
    truth[10:90, 40:50] = UNLABELLED
    assert metrics.boundary_f(square(200, 50, 80), truth) == 1
