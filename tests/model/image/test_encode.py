from __future__ import annotations

import numpy as np
import pytest

from model.image import encode
from tests.support.images import decode_image

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 451])
def test_a_mask_of_two_classes_is_one_bit_and_exact(width: int) -> None:
    mask = RNG.integers(0, 2, (31, width), np.uint8)
    image = decode_image(encode.binary_png(np.packbits(mask, axis=1), width))
    assert image.mode == "1"
    assert (np.asarray(image) == mask).all()


def test_a_mask_of_many_classes_has_class_ids_as_pixels_and_the_palette() -> None:
    ids = RNG.integers(0, 3, (20, 30), np.uint8)
    image = decode_image(encode.palette_png(ids, ((0, 0, 0), (200, 0, 0), (0, 0, 200))))
    assert image.mode == "P"
    assert (np.asarray(image) == ids).all()
    palette = image.getpalette()
    assert palette is not None
    assert palette[:9] == [0, 0, 0, 200, 0, 0, 0, 0, 200]


def test_a_probability_is_eight_bits_of_grey() -> None:
    pixels = RNG.integers(0, 256, (5, 6), np.uint8)
    image = decode_image(encode.grey_png(pixels))
    assert image.mode == "L"
    assert (np.asarray(image) == pixels).all()


def test_strips_of_rgb_make_one_image() -> None:
    pixels = RNG.integers(0, 256, (7, 6, 3), np.uint8)
    image = decode_image(encode.photo((6, 7), [pixels[:3], pixels[3:6], pixels[6:]], "png"))
    assert image.mode == "RGB"
    assert (np.asarray(image) == pixels).all()


def test_an_rgba_image_has_the_pixels_and_the_alpha() -> None:
    pixels = RNG.integers(0, 256, (5, 6, 3), np.uint8)
    alpha = RNG.integers(0, 256, (5, 6), np.uint8)
    image = decode_image(encode.photo((6, 5), [np.dstack([pixels, alpha])], "png"))
    assert image.mode == "RGBA"
    assert (np.asarray(image) == np.dstack([pixels, alpha])).all()
