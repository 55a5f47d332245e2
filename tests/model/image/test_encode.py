from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from model.image import encode
from model.tflite.card import ModelCard

RNG = np.random.default_rng(3)
THREE = ModelCard(labels=("ground", "cat", "dog"), palette=((0, 0, 0), (200, 0, 0), (0, 0, 200)))


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("width", [1, 7, 8, 9, 451])
def test_a_mask_of_two_classes_is_one_bit_and_exact(width: int) -> None:
    mask = RNG.integers(0, 2, (31, width), np.uint8)
    image = opened(encode.binary_png(np.packbits(mask, axis=1), width))
    assert image.mode == "1"
    assert (np.asarray(image) == mask).all()


def test_a_mask_of_many_classes_has_class_ids_as_pixels_and_the_cards_palette() -> None:
    mask = RNG.integers(0, 3, (20, 30), np.uint8)
    image = opened(encode.palette_png(mask, THREE))
    assert image.mode == "P"
    assert (np.asarray(image) == mask).all()
    assert image.getpalette()[:9] == [0, 0, 0, 200, 0, 0, 0, 0, 200]


def test_an_overlay_tints_the_classes_and_leaves_the_background() -> None:
    pixels = np.full((2, 3, 3), 100, np.uint8)
    mask = np.uint8([[0, 1, 2], [0, 1, 2]])
    over = np.asarray(opened(encode.overlay_png(pixels, mask, THREE, None)))
    assert over[0].tolist() == [[100, 100, 100], [150, 50, 50], [50, 50, 150]]
    one = np.asarray(opened(encode.overlay_png(pixels, mask, THREE, 2)))
    assert one[0].tolist() == [[100, 100, 100], [100, 100, 100], [50, 50, 150]]


def test_a_cutout_keeps_the_pixels_and_takes_the_alpha() -> None:
    pixels = RNG.integers(0, 256, (5, 6, 3), np.uint8)
    alpha = RNG.integers(0, 256, (5, 6), np.uint8)
    image = opened(encode.cutout_png(pixels, alpha))
    assert image.mode == "RGBA"
    assert (np.asarray(image) == np.dstack([pixels, alpha])).all()


def test_the_summary_has_share_box_and_run_lengths_of_each_class() -> None:
    mask = np.zeros((4, 5), np.uint8)
    mask[1:3, 2:5] = 2
    summary = json.loads(encode.summary_json(mask, THREE, None))
    assert summary["size"] == [5, 4]
    ground, cat, dog = summary["classes"]
    assert (ground["name"], ground["share"]) == ("ground", 0.7)
    assert (cat["share"], cat["bbox"], cat["rle"]["counts"]) == (0, None, [20])
    assert (dog["share"], dog["bbox"]) == (0.3, [2, 1, 3, 2])
    assert dog["rle"] == {"size": [4, 5], "counts": [9, 2, 2, 2, 2, 2, 1]}


def test_run_lengths_give_the_mask_back() -> None:
    mask = RNG.random((13, 17)) < 0.5
    mask[0, 0] = True  # then they begin with no zeros at all
    counts = encode.run_lengths(mask)
    assert counts[0] == 0
    values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    assert (values.reshape(mask.shape, order="F") == mask).all()
