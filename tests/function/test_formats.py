"""The file format of what shows the photo, by option and by Accept, and the limit of a response."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from PIL import Image

from model.errors import ResponseTooLarge
from model.options import Options
from model.serving import response_size
from tests.support.icc import display_p3_profile
from tests.support.images import encode_image
from tests.support.responses import image_of

MEDIA_TYPES = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}
CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


def image(response: httpx.Response, file_format: str) -> Image.Image:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == MEDIA_TYPES[file_format]
    opened = Image.open(io.BytesIO(response.content))
    assert opened.format == file_format.upper()
    return opened


@pytest.mark.parametrize("file_format", MEDIA_TYPES)
@pytest.mark.parametrize("output", ["overlay", "cutout"])
def test_what_shows_the_photo_comes_in_every_format(
    http: httpx.Client, sample: bytes, output: str, file_format: str
) -> None:
    expected = image_of(http.post(f"/?output={output}", content=sample))
    received = image(http.post(f"/?output={output}&format={file_format}", content=sample), file_format)
    assert received.size == expected.size
    if output == "cutout" and file_format == "jpeg":
        expected = Image.alpha_composite(Image.new("RGBA", expected.size, "white"), expected).convert("RGB")
    assert received.mode == expected.mode
    difference = np.asarray(received.convert("RGBA"), int) - np.asarray(expected.convert("RGBA"), int)
    opaque = np.asarray(expected.convert("RGBA"))[..., 3] == 255
    assert np.abs(difference[opaque]).mean() < 4


@pytest.mark.parametrize(
    ("accept", "file_format"),
    [
        ("image/webp", "webp"),
        ("image/jpeg", "jpeg"),
        ("image/png", "png"),
        ("*/*", "png"),
        ("image/*", "png"),
        ("image/webp,image/png", "png"),
        ("image/jpeg;q=0.5, image/webp;q=0.9", "webp"),
        (CHROME, "webp"),
        ("application/json", "png"),
        ("", "png"),
    ],
)
def test_accept_chooses_the_format_if_no_option_does(
    http: httpx.Client, sample: bytes, accept: str, file_format: str
) -> None:
    headers = {"Accept": accept}
    image(http.post("/?output=cutout", content=sample, headers=headers), file_format)
    image(http.post("/?output=cutout&format=jpeg", content=sample, headers=headers), "jpeg")
    image(http.post("/", content=sample, headers=headers), "png")


@pytest.mark.parametrize("output", ["mask", "probability", "json"])
def test_a_mask_has_no_other_format(http: httpx.Client, sample: bytes, output: str) -> None:
    assert http.post(f"/?output={output}&format=png", content=sample).status_code == 200
    response = http.post(f"/?output={output}&format=webp", content=sample)
    assert (response.status_code, response.json()["code"]) == (400, "bad-option")
    assert "overlay and cutout" in response.json()["detail"]


def test_an_unknown_format_is_rejected(http: httpx.Client, sample: bytes) -> None:
    response = http.post("/?output=cutout&format=heic", content=sample)
    assert response.status_code == 400
    assert "png, webp, jpeg" in response.json()["detail"]


def test_a_photo_of_more_pixels_than_a_format_holds_is_refused_with_the_one_that_does(http: httpx.Client) -> None:
    photo = encode_image(Image.new("RGB", (17_000, 20)), "PNG")
    response = http.post("/?output=cutout&format=webp", content=photo)
    assert (response.status_code, response.json()["code"]) == (400, "bad-option")
    assert "16383" in response.json()["detail"]
    assert http.post("/?output=cutout&format=png", content=photo).status_code == 200


@pytest.mark.parametrize("file_format", MEDIA_TYPES)
def test_a_cutout_contains_nothing_of_the_background(http: httpx.Client, sample: bytes, file_format: str) -> None:
    cutout = image(http.post(f"/?output=cutout&format={file_format}", content=sample), file_format)
    if file_format == "jpeg":
        pixels = np.asarray(cutout)
        alpha = np.asarray(image_of(http.post("/?output=cutout", content=sample)))[..., 3]
        blocks = alpha[: 300 // 16 * 16, : 451 // 16 * 16].reshape(18, 16, 28, 16).max((1, 3)) == 0
        inner = pixels[: 18 * 16, : 28 * 16].reshape(18, 16, 28, 16, 3)[:, 1:15, :, 1:15]  # decoders blur block edges
        shown = inner.min((1, 3, 4))
        assert blocks.any()
        assert (shown[blocks] > 250).all()
    else:
        rgba = np.asarray(cutout)
        clear = rgba[..., 3] == 0
        assert clear.any()
        if file_format == "png":
            assert (rgba[clear] == 0).all()
        else:  # the encoder fills what is transparent with what compresses best, from zeros
            assert rgba[clear][:, :3].std() < 70


def test_the_resolution_of_the_photo_is_kept_in_every_format(http: httpx.Client, sample: bytes) -> None:
    photo = encode_image(Image.open(io.BytesIO(sample)), "JPEG", dpi=(300, 150))
    for file_format in ("png", "jpeg"):
        received = image(http.post(f"/?output=overlay&format={file_format}", content=photo), file_format)
        assert received.info["dpi"] == pytest.approx((300, 150), abs=0.1)
    exif = image(http.post("/?output=overlay&format=webp", content=photo), "webp").getexif()
    assert (exif[282], exif[283], exif[296]) == (300, 150, 2)


def test_the_alpha_of_a_cutout_is_the_lesser_of_the_photos_and_the_masks(http: httpx.Client, sample: bytes) -> None:
    photo = Image.open(io.BytesIO(sample)).convert("RGBA")
    opaque = np.asarray(image_of(http.post("/?output=cutout", content=encode_image(photo, "PNG"))))[..., 3]
    half = Image.new("L", photo.size, 255)
    half.paste(100, (0, 0, photo.width // 2, photo.height))
    photo.putalpha(half)
    data = encode_image(photo, "PNG")
    alpha = np.asarray(image_of(http.post("/?output=cutout", content=data)))[..., 3]
    assert alpha.shape == opaque.shape
    assert (alpha <= np.asarray(half)).all()
    overlay = image_of(http.post("/?output=overlay", content=data))
    assert overlay.mode == "RGBA"
    assert (np.asarray(overlay)[..., 3] == np.asarray(half)).all()


def test_the_colours_of_a_profile_are_converted_and_the_mask_is_that_of_the_photo(
    http: httpx.Client, sample: bytes
) -> None:
    photo = Image.open(io.BytesIO(sample))
    plain, profiled = encode_image(photo, "PNG"), encode_image(photo, "PNG", icc_profile=display_p3_profile())
    assert http.post("/", content=plain).content == http.post("/", content=profiled).content
    cutouts = [np.asarray(image_of(http.post("/?output=cutout", content=data))) for data in (plain, profiled)]
    assert (cutouts[0][..., 3] == cutouts[1][..., 3]).all()
    assert (cutouts[0] != cutouts[1]).any()


def test_a_response_over_the_platforms_limit_is_refused_with_the_option_that_helps(http: httpx.Client) -> None:
    noise = np.random.default_rng(8).integers(0, 256, (3400, 3400, 3), np.uint8)
    photo = encode_image(Image.fromarray(noise), "JPEG", quality=40)
    response = http.post("/?output=overlay", content=photo)
    assert (response.status_code, response.json()["code"]) == (413, "response-too-large")
    assert "ask for format=webp or format=jpeg or size=model" in response.json()["detail"]
    assert http.post("/?output=overlay&size=model", content=photo).status_code == 200
    assert http.post("/?output=overlay&format=jpeg", content=photo).status_code == 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options("cutout", 0.5, "photo", None, "webp"), "ask for format=jpeg or size=model"),
        (Options("cutout", 0.5, "photo", None, "jpeg"), "ask for size=model"),
        (Options("json", 0.5, "photo", None), "ask for size=model"),
        (Options("mask", 0.5, "model", None), "send a smaller photo"),
        (None, "send a smaller photo"),
    ],
)
def test_each_output_has_its_own_advice(options: Options | None, words: str) -> None:
    response_size.check(1000, 1000, options)
    with pytest.raises(ResponseTooLarge, match=words):
        response_size.check(1001, 1000, options)
