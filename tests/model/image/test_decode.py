from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.errors import BrokenPhoto, EmptyBody, NotAPhoto, PhotoTooLarge
from model.image import decode as image_decode
from tests.support.images import Encode
from tests.support.paths import ROOT

LIMIT = 100_000_000


def decode(data: bytes, covering_wh: tuple[int, int] | None = None) -> image_decode.Photo:
    return image_decode.decode(data, covering_wh, LIMIT)


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    across = np.linspace(0, 255, width, dtype=np.uint8)[None].repeat(height, 0)
    down = np.linspace(0, 255, height, dtype=np.uint8)[:, None].repeat(width, 1)
    return Image.fromarray(np.dstack([across, down, 255 - across]))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "AVIF", "JPEG"])
def test_every_format_gives_the_pixels_that_were_written(encode: Encode, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind in ("JPEG", "AVIF") else {}
    shot = decode(encode(gradient(), kind, **options))
    assert shot.size_wh == (60, 40)
    assert shot.pixels.shape == (40, 60, 3)
    assert shot.pixels.dtype == np.uint8
    assert np.abs(shot.pixels.astype(int) - np.asarray(gradient(), int)).mean() < 6


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(encode: Encode, mode: str) -> None:
    image = gradient().convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    expected = np.asarray(image.convert("RGB"), int)
    assert np.abs(decode(encode(image, kind)).pixels.astype(int) - expected).mean() < 6


def test_sixteen_bits_are_scaled_and_not_clipped(encode: Encode) -> None:
    deep = np.linspace(0, 65535, 256, dtype=np.uint16)[None].repeat(8, 0)
    shot = decode(encode(Image.fromarray(deep), "PNG"))
    assert np.abs(shot.pixels[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_what_is_transparent_lies_on_white(encode: Encode) -> None:
    clear = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    assert (decode(encode(clear, "PNG")).pixels == 255).all()


def test_a_large_jpeg_is_decoded_just_far_enough(encode: Encode) -> None:
    shot = decode(encode(gradient(4000, 3000), "JPEG"), (256, 256))
    assert shot.size_wh == (4000, 3000)
    assert 256 <= min(shot.pixels.shape[:2]) < 512


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright_whatever_its_orientation(encode: Encode, orientation, kind: str) -> None:
    turned = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]
    stored = gradient(640, 480)
    for turn in turned:
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    shot = decode(encode(stored, kind, exif=exif), (64, 64))
    assert shot.size_wh == (640, 480)
    height, width = shot.pixels.shape[:2]
    assert width > height
    expected = np.asarray(gradient(640, 480).resize((width, height)), int)
    assert np.abs(shot.pixels - expected).mean() < 6


def test_damaged_exif_leaves_the_photo_as_it_is(encode: Encode) -> None:
    data = encode(gradient(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert decode(data).size_wh == (60, 40)


def test_of_several_frames_the_first_counts(encode: Encode) -> None:
    red, blue = Image.new("RGB", (9, 9), "red"), Image.new("RGB", (9, 9), "blue")
    shot = decode(encode(red, "GIF", save_all=True, append_images=[blue]))
    assert shot.pixels[4, 4].tolist() == [255, 0, 0]


def test_nothing_is_no_photo() -> None:
    with pytest.raises(EmptyBody):
        decode(b"")


@pytest.mark.parametrize("data", [b"hello, this is text", b"%!PS-Adobe-3.0 EPSF-3.0", b"\0" * 100, b"<svg/>"])
def test_other_bytes_are_no_photo(data) -> None:
    with pytest.raises(NotAPhoto):
        decode(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_photo_is_broken(encode: Encode, kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8))
    data = encode(noise, kind)
    with pytest.raises((BrokenPhoto, NotAPhoto)):
        decode(data[: len(data) // 2])


def test_a_photo_that_claims_too_many_pixels_is_refused_before_it_is_decoded(encode: Encode) -> None:
    data = bytearray(encode(Image.new("1", (8, 8)), "BMP"))
    data[18:26] = (60_000).to_bytes(4, "little") * 2
    with pytest.raises(PhotoTooLarge, match="60000 x 60000"):
        decode(bytes(data) + b"\0" * 100_000)


def test_the_limit_itself_is_allowed(encode: Encode) -> None:
    data = encode(Image.new("RGB", (20, 10)), "PNG")
    assert image_decode.decode(data, None, 200).size_wh == (20, 10)
    with pytest.raises(PhotoTooLarge):
        image_decode.decode(data, None, 199)


def test_decoding_reads_the_bytes_it_is_given_and_no_file() -> None:
    with pytest.raises(NotAPhoto):
        decode(io.BytesIO(b"photo.jpg").getvalue())


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_a_large_png_is_shrunk_to_what_covers_the_model_and_looks_the_same(encode: Encode, mode: str) -> None:
    image = gradient(1404, 2202).convert("L" if mode == "I;16" else mode)
    data = encode(Image.fromarray(np.asarray(image, np.uint16) * 257) if mode == "I;16" else image, "PNG")
    whole, shrunk = decode(data), decode(data, (256, 256))
    assert shrunk.size_wh == whole.size_wh == (1404, 2202)
    assert 512 <= min(shrunk.pixels.shape[:2]) < 1024
    height, width = shrunk.pixels.shape[:2]
    expected = np.asarray(Image.fromarray(whole.pixels).resize((width, height), Image.Resampling.BOX), int)
    assert np.abs(shrunk.pixels - expected).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_a_photo_of_many_pixels_and_few_bytes_needs_little_more_memory_than_its_pixels(
    encode: Encode, tmp_path: Path, mode: str
) -> None:
    side = 6000
    file = tmp_path / "large.png"
    file.write_bytes(encode(Image.new(mode, (side, side)), "PNG"))
    code = f"""
import resource, pathlib
from model.image import decode
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
decode.decode(pathlib.Path({str(file)!r}).read_bytes(), (256, 256), 10**8)
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    own_mb = side * side * (4 if mode == "RGBA" else 1) / 2**20
    assert float(done.stdout) < own_mb + 60  # a copy of it all in RGB, as Pillow keeps it, would be 137 more


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_format_whose_decoder_holds_the_photo_several_times_may_have_half_the_pixels(
    encode: Encode, kind: str
) -> None:
    data = encode(gradient(20, 10), kind)
    assert image_decode.decode(data, None, 400).size_wh == (20, 10)
    with pytest.raises(PhotoTooLarge, match="the limit is 199 in all"):
        image_decode.decode(data, None, 398)
