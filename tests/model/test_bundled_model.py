"""The masks that the bundled model gives for photos it was not trained on."""

from __future__ import annotations

import io

import httpx
import numpy as np
from PIL import Image, ImageDraw

from tests.support.images import decode_image

# Pixels of the sample photo, 451 x 300, on the cat (eyes, nose, forehead, chest, ear) and beside it.
CAT = [(170, 105), (318, 137), (263, 240), (240, 60), (150, 270), (60, 150)]
NOT_CAT = [(8, 20), (440, 40), (430, 120), (12, 90)]


def mask_of(http: httpx.Client, photo: bytes) -> Image.Image:
    return decode_image(http.post("/", content=photo).raise_for_status().content)


def test_the_mask_of_the_sample_photo_covers_the_cat_in_one_piece(http: httpx.Client, sample: bytes) -> None:
    mask = mask_of(http, sample)
    assert all(mask.getpixel(point) for point in CAT)
    assert not any(mask.getpixel(point) for point in NOT_CAT)
    grey = mask.convert("L")
    ImageDraw.floodfill(grey, CAT[0], 100)
    pieces = np.asarray(grey)
    assert (pieces == 100).sum() > 0.98 * (pieces > 0).sum()


def test_a_photo_without_an_animal_has_an_empty_mask(http: httpx.Client) -> None:
    with io.BytesIO() as file:
        Image.linear_gradient("L").resize((400, 300)).convert("RGB").save(file, "PNG")
        mask = mask_of(http, file.getvalue())
    assert np.asarray(mask).mean() < 0.01
