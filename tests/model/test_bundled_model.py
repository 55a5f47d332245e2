"""What the model that comes with the function says of photos that it has not seen."""

from __future__ import annotations

import io

import httpx
import numpy as np
from PIL import Image, ImageDraw

# Where the cat is and where not, in the sample photo of 451 x 300: eyes, nose, forehead, chest; both upper corners.
CAT = [(170, 105), (318, 137), (263, 240), (240, 60), (150, 270), (60, 150)]
NOT_CAT = [(8, 20), (440, 40), (430, 120), (12, 90)]


def mask_of(http: httpx.Client, photo: bytes) -> Image.Image:
    return Image.open(io.BytesIO(http.post("/", content=photo).raise_for_status().content))


def test_the_mask_of_the_sample_is_one_piece_that_covers_the_cat(http: httpx.Client, sample: bytes) -> None:
    mask = mask_of(http, sample)
    assert all(mask.getpixel(point) for point in CAT)
    assert not any(mask.getpixel(point) for point in NOT_CAT)
    grey = mask.convert("L")
    ImageDraw.floodfill(grey, CAT[0], 100)
    pieces = np.asarray(grey)
    assert (pieces == 100).sum() > 0.98 * (pieces > 0).sum()


def test_a_photo_of_nothing_has_an_empty_mask(http: httpx.Client) -> None:
    with io.BytesIO() as file:
        Image.linear_gradient("L").resize((400, 300)).convert("RGB").save(file, "PNG")
        mask = mask_of(http, file.getvalue())
    assert np.asarray(mask).mean() < 0.01
