"""Colour, transparency and size of what the page draws and sends."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from tests.support.browser import Open, answer, choose, page_opener, playwright, saved, upload, wait
from tests.support.function_process import serving
from tests.support.icc import display_p3_profile
from tests.support.images import Encode, decode_image
from tests.support.paths import SAMPLE

SIZE_WH = (240, 160)


def patches() -> Image.Image:
    """Draw squares of colours that differ between Display P3 and sRGB."""
    values = np.random.default_rng(3).integers(60, 200, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(values).resize(SIZE_WH, Image.Resampling.NEAREST)


def transparent_photo() -> Image.Image:
    """Draw patches whose opacity grows from left to right."""
    photo = patches()
    photo.putalpha(Image.linear_gradient("L").rotate(90).resize(SIZE_WH))
    return photo


def rgba(image: Image.Image) -> NDArray[np.int_]:
    return np.asarray(image.convert("RGBA")).astype(int)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_photo_in_display_p3_is_shown_in_srgb(visit: Open, encode: Encode, format: str) -> None:
    photo, profile = patches(), display_p3_profile()
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(photo, source, ImageCms.createProfile("sRGB"))
    assert converted
    options: dict[str, int] = {"WEBP": {"lossless": 1}, "JPEG": {"quality": 100, "subsampling": 0}}.get(format, {})
    page = visit()
    answer(page, Image.new("L", SIZE_WH, 255))
    choose(page, upload(encode(photo, format, icc_profile=profile, **options)))
    cutout = rgba(saved(wait(page), "Cutout")[1])
    assert np.abs(cutout - rgba(converted)).max() <= 4
    assert np.abs(cutout - rgba(photo)).max() > 15
    answer(page, Image.new("L", SIZE_WH, 0))
    choose(page, upload(encode(photo, format, icc_profile=profile, **options)), "Another photo")
    assert np.abs(rgba(saved(wait(page), "Overlay")[1]) - rgba(converted)).max() <= 4


def test_the_alpha_of_a_cutout_is_the_lesser_of_the_photos_and_the_masks(visit: Open, encode: Encode) -> None:
    photo = transparent_photo()
    page = visit()
    answer(page, Image.linear_gradient("L").resize(SIZE_WH))
    choose(page, upload(encode(photo, "PNG")))
    cutout = rgba(saved(wait(page), "Cutout")[1])
    scores = np.asarray(Image.linear_gradient("L").resize(SIZE_WH)) / 255
    mask = np.round(255 * np.clip((scores - float(page.locator("#threshold").input_value())) / 0.2 + 0.5, 0, 1))
    assert np.abs(cutout[..., 3] - np.minimum(rgba(photo)[..., 3], mask)).max() <= 1
    opaque = cutout[..., 3] > 200
    assert np.abs(cutout - rgba(photo))[opaque][:, :3].max() <= 2


def test_an_overlay_keeps_the_photos_alpha(visit: Open, encode: Encode) -> None:
    photo = transparent_photo()
    page = visit()
    answer(page, Image.linear_gradient("L").resize(SIZE_WH))
    choose(page, upload(encode(photo, "PNG")))
    overlay = rgba(saved(wait(page), "Overlay")[1])
    assert np.abs(overlay[..., 3] - rgba(photo)[..., 3]).max() <= 1


@pytest.mark.parametrize("name", ["sample", "transparent"])
def test_a_cutout_contains_no_colour_of_the_background(visit: Open, encode: Encode, name: str) -> None:
    photo = SAMPLE.read_bytes() if name == "sample" else encode(transparent_photo(), "PNG")
    page = visit()
    answer(page, Image.linear_gradient("L").resize(decode_image(photo).size))
    choose(page, upload(photo))
    cutout = rgba(saved(wait(page), "Cutout")[1])
    hidden = cutout[..., 3] == 0
    assert hidden.mean() > 0.2
    assert not cutout[hidden].any()


def test_a_photo_with_more_pixels_than_the_function_takes_is_scaled_down(chromium: Any, encode: Encode) -> None:
    photo = encode(Image.open(SAMPLE).resize((600, 400)), "PNG")
    with serving(MAX_PIXELS="100000") as url, page_opener(chromium, url) as visit:
        page = visit()
        choose(page, upload(photo))
        note = wait(page).locator("#note")
        playwright.expect(note).to_contain_text("600 × 400). The browser scaled it down")
        assert saved(page, "Mask")[1].size == (600, 400)


@pytest.mark.parametrize(("limits", "scaled"), [({"JPEG": 150_000}, False), ({"JPEG": 100_000}, True), ({}, True)])
def test_the_pixel_limit_of_the_photos_format_applies(visit: Open, limits: dict[str, int], scaled: bool) -> None:
    page = visit("/nowhere")
    page.route(re.compile(r"/$"), lambda route: limit(route, limits))
    page.goto(page.url.replace("nowhere", ""))
    choose(page, SAMPLE)
    assert saved(wait(page), "Mask")[1].size == (451, 300)
    assert page.locator("#note").is_visible() == scaled


def limit(route: Any, by_format: dict[str, int]) -> None:
    """Answer `GET /` with pixel limits of 120,000, except for some formats."""
    if "application/json" in route.request.headers["accept"]:
        about = route.fetch().json()
        about["limits"] |= {"pixels": 120_000, "pixels_by_format": by_format}
        route.fulfill(json=about)
    else:
        route.continue_()


def test_a_format_that_only_the_browser_decodes_is_sent_as_jpeg(visit: Open, tmp_path: Path) -> None:
    photo = tmp_path / "drawing.svg"
    photo.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><circle r="90" cx="150" cy="99"/></svg>'
    )
    page = visit()
    choose(page, photo)
    assert saved(wait(page), "Mask")[1].size == (300, 200)
