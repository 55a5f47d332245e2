"""The colours and the transparency of what shows the photo."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from model.image import colour
from model.image.decode import DecodedPhoto, decode
from tests.support.icc import display_p3_profile, grey_profile
from tests.support.images import encode_image

DISPLAY_P3, GREY_LINEAR = display_p3_profile(), grey_profile(1.0)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOURS = np.random.default_rng(6).integers(0, 256, (12, 16, 3), np.uint8)


def shown(data: bytes) -> DecodedPhoto:
    return decode(data, None, 10**6, show="full")


def converted(image: Image.Image, profile: bytes) -> NDArray[np.uint8]:
    import io

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    result = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert result is not None
    return np.asarray(result)


@pytest.mark.parametrize(
    ("image_format", "options"),
    [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 100, "subsampling": 0})],
)
def test_colours_of_display_p3_become_srgb(image_format: str, options: dict[str, Any]) -> None:
    data = encode_image(Image.fromarray(COLOURS), image_format, icc_profile=DISPLAY_P3, **options)
    photo = shown(data)
    assert photo.shown is not None
    assert np.abs(photo.shown.astype(int) - converted(Image.fromarray(photo.pixels), DISPLAY_P3)).max() <= 1
    assert (photo.shown != photo.pixels).any()


@pytest.mark.parametrize("profile", [None, SRGB])
def test_a_photo_in_srgb_is_shown_as_it_is(profile: bytes | None) -> None:
    options = {} if profile is None else {"icc_profile": profile}
    photo = shown(encode_image(Image.fromarray(COLOURS), "PNG", **options))
    assert photo.shown is None
    assert (photo.pixels == COLOURS).all()


def test_the_pixels_that_the_model_sees_are_those_of_the_mask_alone() -> None:
    data = encode_image(Image.fromarray(COLOURS), "PNG", icc_profile=DISPLAY_P3)
    assert (shown(data).pixels == decode(data, None, 10**6).pixels).all()


@pytest.mark.parametrize("profile", [None, DISPLAY_P3])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_all_pixels_are_shown_or_as_many_as_the_model_needs(image_format: str, profile: bytes | None) -> None:
    options = {} if profile is None else {"icc_profile": profile}
    data = encode_image(Image.new("RGB", (640, 480), "tan"), image_format, **options)
    full, reduced = decode(data, (64, 64), 10**6, show="full"), decode(data, (64, 64), 10**6, show="reduced")
    assert (full.pixels if full.shown is None else full.shown).shape == (480, 640, 3)
    assert reduced.pixels.shape[0] < 480
    if profile:  # the model's own pixels need not be as many
        assert full.pixels.shape[0] < 480


def test_a_grey_profile_is_applied_to_grey() -> None:
    grey = Image.fromarray(COLOURS[..., 0])
    photo = shown(encode_image(grey, "PNG", icc_profile=GREY_LINEAR))
    assert photo.shown is not None
    assert (photo.shown == converted(grey, GREY_LINEAR)).all()


def test_a_profile_of_rgb_is_applied_to_grey_and_to_a_palette() -> None:
    for mode in ("L", "P"):
        image = Image.fromarray(COLOURS).convert(mode)
        photo = shown(encode_image(image, "PNG", icc_profile=DISPLAY_P3))
        assert photo.shown is not None
        assert (photo.shown == converted(image.convert("RGB"), DISPLAY_P3)).all()


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        b"\0" * 128,
        DISPLAY_P3[:200],
        DISPLAY_P3[:-100],
        struct.pack(">I", 2**31) + DISPLAY_P3[4:],
        GREY_LINEAR,
    ],
)
def test_a_profile_that_is_damaged_or_of_another_colour_space_is_ignored(profile: bytes) -> None:
    photo = shown(encode_image(Image.fromarray(COLOURS), "PNG", icc_profile=profile))
    assert photo.pixels.tolist() == COLOURS.tolist()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
@pytest.mark.parametrize("profile", [None, DISPLAY_P3])
def test_the_transparency_of_a_photo_is_kept_and_its_colours_are_not_mixed_with_white(
    mode: str, profile: bytes | None
) -> None:
    image = Image.fromarray(COLOURS).convert("RGBA" if mode == "RGBA" else "LA")
    alpha = np.random.default_rng(7).integers(0, 256, (12, 16), np.uint8)
    image.putalpha(Image.fromarray(alpha))
    data = encode_image(image, "TIFF" if mode == "LA" else "PNG", **({"icc_profile": profile} if profile else {}))
    photo = shown(data)
    assert photo.shown is not None
    assert (photo.shown[..., 3] == alpha).all()
    rgb = image.convert("RGBA").convert("RGB")
    expected = converted(rgb, profile) if profile else np.asarray(rgb)
    assert (photo.shown[..., :3] == expected).all()


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "1"])
def test_a_transparent_colour_is_transparency_too(mode: str) -> None:
    image = Image.fromarray(COLOURS).convert(mode)
    transparent = image.getpixel((0, 0))
    photo = shown(encode_image(image, "PNG", transparency=transparent))
    assert photo.shown is not None
    assert photo.shown[0, 0, 3] == 0
    assert (photo.shown[..., 3] == 255).any()


@pytest.mark.parametrize(("orientation", "size_wh"), [(1, (16, 12)), (3, (16, 12)), (6, (12, 16)), (8, (12, 16))])
def test_what_is_shown_is_turned_upright_with_its_resolution(orientation: int, size_wh: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode_image(Image.fromarray(COLOURS), "PNG", icc_profile=DISPLAY_P3, exif=exif, dpi=(300, 200))
    photo = shown(data)
    assert photo.shown is not None
    assert photo.shown.shape[1::-1] == photo.pixels.shape[1::-1] == photo.size_wh == size_wh
    assert photo.dpi == pytest.approx((200, 300) if orientation > 4 else (300, 200), abs=0.1)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_the_resolution_is_read_from_every_format(image_format: str) -> None:
    data = encode_image(Image.fromarray(COLOURS), image_format, dpi=(300, 300))
    assert shown(data).dpi == pytest.approx((300, 300), abs=0.1)
    assert decode(data, None, 10**6).dpi is None


@pytest.mark.parametrize("value", [None, (0, 0), (-1, 72), (float("nan"), 72), (1e9, 1e9), (72,), ("a", "b")])
def test_an_invalid_resolution_is_ignored(value: object) -> None:
    image = Image.new("RGB", (2, 2))
    image.info["dpi"] = value
    assert colour.dpi(image) is None
