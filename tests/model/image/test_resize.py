from __future__ import annotations

import numpy as np

from model.image import resize


def test_an_image_of_the_right_size_is_returned_as_it_is() -> None:
    pixels = np.zeros((3, 4), np.uint8)
    assert resize.bilinear(pixels, (4, 3)) is pixels
    assert resize.bilinear(pixels, (4, 3), (0, 0, 4, 3)) is pixels


def test_shrinking_averages_every_pixel() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (8, 64))
    shrunk = resize.bilinear(stripes, (8, 2))
    assert shrunk.shape == (2, 8)
    assert np.abs(shrunk.astype(int)[:, 1:-1] - 128).max() <= 2  # nearest neighbours would be 0 or 255


def test_only_the_box_is_resized() -> None:
    ramp = np.tile(np.arange(8, dtype=np.float32), (4, 1))
    assert resize.bilinear(ramp, (4, 2), (2, 1, 6, 3)).tolist() == [[2, 3, 4, 5]] * 2
