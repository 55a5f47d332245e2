"""The agreement of two masks."""

from __future__ import annotations

import numpy as np
import pytest

from client.cli.agreement import AGREED, ONLY_NEW, ONLY_OLD, OTHER_CLASS, draw_difference, mean_iou


def mask(*class_ids: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.array([class_ids], np.uint8)


@pytest.mark.parametrize(
    ("first", "second", "background", "agreement"),
    [
        (mask(0, 0, 0, 0), mask(0, 0, 0, 0), 0, 1.0),
        (mask(0, 1, 1, 1), mask(0, 0, 1, 1), 0, 2 / 3),
        (mask(0, 1, 1, 1), mask(0, 0, 1, 1), None, (1 / 2 + 2 / 3) / 2),
        (mask(0, 1, 2, 2), mask(0, 1, 1, 2), 0, (1 / 2 + 1 / 2) / 2),
        (mask(0, 1, 0, 0), mask(0, 1, 0, 3), 0, (1 + 0) / 2),
        (mask(255, 2, 2, 2), mask(255, 2, 2, 2), 255, 1.0),
        (mask(7, 7, 0, 0), mask(7, 7, 0, 7), 7, 1 / 2),
    ],
)
def test_the_iou_is_averaged_over_the_classes_of_either_mask(
    first: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    second: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    background: int | None,
    agreement: float,
) -> None:
    assert mean_iou(first, second, background) == pytest.approx(agreement)
    assert mean_iou(second, first, background) == pytest.approx(agreement)


def test_the_difference_tells_which_mask_has_an_object_alone() -> None:
    new, old = mask(0, 1, 1, 0, 2), mask(0, 1, 0, 1, 1)
    without_background = [(0, 0, 0), AGREED, ONLY_NEW, ONLY_OLD, OTHER_CLASS]
    assert np.array_equal(np.asarray(draw_difference(new, old, 0))[0], without_background)
    assert np.array_equal(np.asarray(draw_difference(new, old, None))[0], [AGREED, AGREED, *[OTHER_CLASS] * 3])
