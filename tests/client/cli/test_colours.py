"""Colours, transparency and resolution of what the client draws itself: comparisons, backgrounds, large cutouts."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from client import Client
from client.cli.background import parse_background
from client.cli.main import main
from client.photo import open_upright, read_photo
from client.pixels import to_srgb
from client.upload import Limits, prepare_upload
from tests.support.fake_function import FakeFunction
from tests.support.images import encode_image

COLOUR = (220, 180, 40)
EXCHANGED = (40, 180, 220)
DPI = (300, 300)


def exchanged_profile() -> bytes:
    """Return the sRGB profile with red and blue exchanged, so that every use of it shows."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"tmpX", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tmpX", b"bXYZ", 1)


PROFILE = exchanged_profile()


def tagged_photo(image_format: str = "PNG", size_wh: tuple[int, int] = (40, 30), mode: str = "RGB") -> bytes:
    """Return a photo of one bright colour with the exchanged profile and 300 dpi; RGBA is transparent on its left."""
    image = Image.new("RGB", size_wh, COLOUR).convert(mode)
    if mode == "RGBA":
        image.paste((*COLOUR, 0), (0, 0, size_wh[0] // 2, size_wh[1]))
    quality = {"quality": 100, "subsampling": 0} if image_format == "JPEG" else {}
    return encode_image(image, image_format, icc_profile=PROFILE, dpi=DPI, **quality)


def is_close(pixel: object, colour: tuple[int, ...]) -> bool:
    return bool(np.abs(np.asarray(pixel, int)[: len(colour)] - colour).max() <= 6)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF"])
def test_a_profile_is_applied_and_the_resolution_kept(image_format: str) -> None:
    image = to_srgb(open_upright(tagged_photo(image_format)))
    assert is_close(image.getpixel((30, 5)), EXCHANGED)
    assert "icc_profile" not in image.info
    assert image.info["dpi"] == pytest.approx(DPI, abs=0.1)


@pytest.mark.parametrize("profile", [b"", b"nonsense", PROFILE[:200], PROFILE[:-3000]])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    image = Image.new("RGB", (4, 4), COLOUR)
    image.info["icc_profile"] = profile
    assert to_srgb(image).getpixel((0, 0)) == COLOUR


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
def test_a_profile_that_does_not_fit_the_mode_does_no_harm(mode: str) -> None:
    image = Image.new("RGB", (4, 4), "white").convert("L" if mode in ("I;16", "F") else "RGB").convert(mode)
    image.info["icc_profile"] = PROFILE
    assert to_srgb(image).convert("RGB").getpixel((0, 0)) in ((255, 255, 255), (255, 255, 254), (0, 0, 0))
    assert read_photo(image).startswith(b"\x89PNG")


def test_the_comparison_shows_true_colours_and_transparency(fake: FakeFunction, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(tagged_photo(mode="RGBA"))
    assert main([str(tmp_path / "a.png"), "--compare", str(tmp_path / "c.png")]) == 0
    with Image.open(tmp_path / "c.png") as comparison:
        assert is_close(comparison.getpixel((30, 5)), EXCHANGED)
        left = {comparison.getpixel((x, y)) for x in range(20) for y in range(30)}
        assert comparison.info["dpi"] == pytest.approx(DPI, abs=0.1)
    assert left == {(255, 255, 255), (204, 204, 204)}


def test_a_background_image_is_shown_in_its_true_colours_and_on_white(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(tagged_photo(mode="RGBA"))
    background = parse_background(str(tmp_path / "b.png")).image
    assert background is not None
    assert is_close(background.getpixel((30, 5)), EXCHANGED)
    assert background.getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize(("name", "image_format"), [("x.png", "PNG"), ("x.jpg", "JPEG")])
def test_a_cutout_on_a_background_keeps_the_resolution(
    fake: FakeFunction, tmp_path: Path, name: str, image_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cutout = encode_image(Image.new("RGBA", (8, 8), (*COLOUR, 255)), "PNG", dpi=DPI)
    monkeypatch.setattr("tests.support.fake_function.render", lambda *arguments: cutout)
    (tmp_path / "a.png").write_bytes(tagged_photo())
    assert main([str(tmp_path / "a.png"), "--background", "red", "--out", str(tmp_path / name)]) == 0
    with Image.open(tmp_path / name) as result:
        assert result.format == image_format
        assert result.info["dpi"] == pytest.approx(DPI, abs=0.1)


@pytest.mark.parametrize(("image_format", "mode"), [("BMP", "RGB"), ("PNG", "RGBA"), ("TIFF", "RGBA"), ("TIFF", "RGB")])
def test_a_large_cutout_has_true_colours_the_lesser_alpha_and_nothing_under_alpha_0(
    fake: FakeFunction, image_format: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tagged_photo(image_format, (400, 300), mode)
    monkeypatch.setattr("client.client.prepare_upload", lambda data, limits: prepare_upload(data, Limits(500)))
    with Client(fake.url) as client:
        result = client.request_output(photo, output="cutout")
    with Image.open(io.BytesIO(result.body)) as cutout:
        cutout.load()
        assert (cutout.mode, cutout.size) == ("RGBA", (400, 300))
        assert is_close(cutout.getpixel((300, 50)), COLOUR if image_format == "BMP" else EXCHANGED)
        assert cutout.getpixel((300, 50))[3] == 255  # type: ignore[index]
        pixels = np.asarray(cutout)
        if mode == "RGBA":
            assert (pixels[:, :190, 3] == 0).all()
        if image_format != "BMP":
            assert cutout.info["dpi"] == pytest.approx(DPI, abs=0.1)
    assert (pixels[pixels[..., 3] == 0] == 0).all()


def test_a_reduced_photo_keeps_its_transparency_and_resolution() -> None:
    upload = prepare_upload(tagged_photo("TIFF", (400, 300), "RGBA"), Limits(500))
    with Image.open(io.BytesIO(upload.body)) as image:
        assert image.mode == "RGBA"
        assert image.getpixel((0, 0))[3] == 0  # type: ignore[index]
        assert image.info["dpi"] == pytest.approx(DPI, abs=0.1)


def test_a_pillow_image_keeps_its_profile_and_resolution() -> None:
    with Image.open(io.BytesIO(read_photo(Image.open(io.BytesIO(tagged_photo()))))) as image:
        assert image.info["icc_profile"] == PROFILE
        assert image.info["dpi"] == pytest.approx(DPI, abs=0.1)
