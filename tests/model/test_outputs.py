from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model import outputs
from model.image.score_map import ScoreMap
from model.options import OUTPUT_NAMES, Options
from model.outputs import OUTPUTS, SegmentedPhoto
from model.tflite.card import ModelCard
from tests.support.images import decode_image

RNG = np.random.default_rng(3)
TWO = ModelCard()
THREE = ModelCard(labels=("ground", "cat", "dog"), palette=((0, 0, 0), (200, 0, 0), (0, 0, 200)))


def rendered(
    name: str, pixels: NDArray[np.uint8], ids: NDArray[np.uint8], card: ModelCard, class_id: int | None = None
) -> bytes:
    photo = SegmentedPhoto(pixels, ScoreMap(ids, card.background), (ids.shape[1], ids.shape[0]))
    return OUTPUTS[name].render(photo, Options(name, 0.5, "photo", class_id), card)()


def test_there_is_a_function_for_each_output_that_a_request_can_name() -> None:
    assert tuple(OUTPUTS) == OUTPUT_NAMES


@pytest.mark.parametrize(
    ("card", "class_id", "mode"), [(TWO, None, "1"), (TWO, 0, "1"), (THREE, None, "P"), (THREE, 2, "1")]
)
def test_a_mask_is_one_bit_for_one_class_and_a_palette_image_for_several(
    card: ModelCard, class_id: int | None, mode: str
) -> None:
    ids = RNG.integers(0, len(card.labels), (5, 9), np.uint8)
    image = decode_image(rendered("mask", np.zeros((5, 9, 3), np.uint8), ids, card, class_id))
    assert image.mode == mode
    assert (np.asarray(image) == (ids if class_id is None else ids == class_id)).all()


def test_an_overlay_tints_the_classes_but_not_the_background() -> None:
    pixels = np.full((2, 3, 3), 100, np.uint8)
    ids = np.array([[0, 1, 2], [0, 1, 2]], np.uint8)
    every = np.asarray(decode_image(rendered("overlay", pixels, ids, THREE)))
    assert every[0].tolist() == [[100, 100, 100], [150, 50, 50], [50, 50, 150]]
    one = np.asarray(decode_image(rendered("overlay", pixels, ids, THREE, 2)))
    assert one[0].tolist() == [[100, 100, 100], [100, 100, 100], [50, 50, 150]]


def test_an_overlay_mixes_the_colours_as_pillow_does() -> None:
    size_wh = (300, 500)  # more than one strip
    card = ModelCard(labels=("a", "b", "c"), palette=((0, 0, 0), (255, 130, 7), (31, 0, 254)))
    pixels = RNG.integers(0, 256, (size_wh[1], size_wh[0], 3), np.uint8)
    ids = RNG.integers(0, 3, (size_wh[1], size_wh[0]), np.uint8)
    tint = Image.fromarray(np.array(card.palette, np.uint8)[ids])
    weight = Image.fromarray(np.where(ids > 0, np.uint8(outputs.TINT_WEIGHT), np.uint8(0)))
    expected = np.asarray(Image.composite(tint, Image.fromarray(pixels), weight))
    assert (np.asarray(decode_image(rendered("overlay", pixels, ids, card))) == expected).all()


def test_a_cutout_is_the_photo_where_the_object_is() -> None:
    pixels = RNG.integers(0, 256, (5, 6, 3), np.uint8)
    ids = RNG.integers(0, 2, (5, 6), np.uint8)
    image = decode_image(rendered("cutout", pixels, ids, TWO))
    assert (np.asarray(image) == np.dstack([pixels * ids[..., None], ids * 255])).all()


def test_the_json_has_share_box_and_run_lengths_of_each_class() -> None:
    ids = np.zeros((4, 5), np.uint8)
    ids[1:3, 2:5] = 2
    summary = json.loads(rendered("json", np.zeros((4, 5, 3), np.uint8), ids, THREE))
    assert summary["size"] == [5, 4]
    ground, cat, dog = summary["classes"]
    assert (ground["name"], ground["share"]) == ("ground", 0.7)
    assert (cat["share"], cat["bbox"], cat["rle"]["counts"]) == (0, None, [20])
    assert (dog["share"], dog["bbox"]) == (0.3, [2, 1, 3, 2])
    assert dog["rle"] == {"size": [4, 5], "counts": [9, 2, 2, 2, 2, 2, 1]}


def test_run_lengths_decode_to_the_mask() -> None:
    mask = RNG.random((13, 17)) < 0.5
    mask[0, 0] = True  # so that the first run, of False, is empty
    counts = outputs.run_lengths(mask)
    assert counts[0] == 0
    values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    assert (values.reshape(mask.shape, order="F") == mask).all()
