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
from model.image.decode import DecodedPhoto
from tests.support.images import Encode
from tests.support.paths import ROOT

LIMIT = 100_000_000


def decode(data: bytes, covering_wh: tuple[int, int] | None = None) -> DecodedPhoto:
    return image_decode.decode(data, covering_wh, LIMIT)


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    across = np.linspace(0, 255, width, dtype=np.uint8)[None].repeat(height, 0)
    down = np.linspace(0, 255, height, dtype=np.uint8)[:, None].repeat(width, 1)
    return Image.fromarray(np.dstack([across, down, 255 - across]))


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "AVIF", "JPEG"])
def test_every_format_gives_the_pixels_that_were_written(encode: Encode, image_format: str) -> None:
    options = (
        {"lossless": True} if image_format == "WEBP" else {"quality": 95} if image_format in ("JPEG", "AVIF") else {}
    )
    photo = decode(encode(gradient(), image_format, **options))
    assert photo.size_wh == (60, 40)
    assert photo.pixels.shape == (40, 60, 3)
    assert photo.pixels.dtype == np.uint8
    assert np.abs(photo.pixels.astype(int) - np.asarray(gradient(), int)).mean() < 6


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(encode: Encode, mode: str) -> None:
    image = gradient().convert(mode)
    image_format = "JPEG" if mode == "CMYK" else "PNG"
    expected = np.asarray(image.convert("RGB"), int)
    assert np.abs(decode(encode(image, image_format)).pixels.astype(int) - expected).mean() < 6


def test_16_bit_values_are_scaled_and_not_clipped(encode: Encode) -> None:
    deep = np.linspace(0, 65535, 256, dtype=np.uint16)[None].repeat(8, 0)
    photo = decode(encode(Image.fromarray(deep), "PNG"))
    assert np.abs(photo.pixels[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_transparent_pixels_become_white(encode: Encode) -> None:
    clear = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    assert (decode(encode(clear, "PNG")).pixels == 255).all()


def test_a_large_jpeg_is_decoded_at_a_resolution_that_just_covers_the_model(encode: Encode) -> None:
    photo = decode(encode(gradient(4000, 3000), "JPEG"), (256, 256))
    assert photo.size_wh == (4000, 3000)
    assert 256 <= min(photo.pixels.shape[:2]) < 512


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_of_any_orientation_is_turned_upright(encode: Encode, orientation: int, image_format: str) -> None:
    transpositions = {
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
    for transposition in transpositions:
        stored = stored.transpose(transposition)
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = decode(encode(stored, image_format, exif=exif), (64, 64))
    assert photo.size_wh == (640, 480)
    height, width = photo.pixels.shape[:2]
    assert width > height
    expected = np.asarray(gradient(640, 480).resize((width, height)), int)
    assert np.abs(photo.pixels - expected).mean() < 6


def test_a_photo_with_damaged_exif_data_is_not_turned(encode: Encode) -> None:
    data = encode(gradient(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert decode(data).size_wh == (60, 40)


def test_the_first_frame_of_an_animation_is_decoded(encode: Encode) -> None:
    red, blue = Image.new("RGB", (9, 9), "red"), Image.new("RGB", (9, 9), "blue")
    photo = decode(encode(red, "GIF", save_all=True, append_images=[blue]))
    assert photo.pixels[4, 4].tolist() == [255, 0, 0]


def test_empty_data_is_rejected() -> None:
    with pytest.raises(EmptyBody):
        decode(b"")


@pytest.mark.parametrize("data", [b"hello, this is text", b"%!PS-Adobe-3.0 EPSF-3.0", b"\0" * 100, b"<svg/>"])
def test_data_that_is_not_an_image_is_rejected(data: bytes) -> None:
    with pytest.raises(NotAPhoto):
        decode(data)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_photo_is_rejected(encode: Encode, image_format: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8))
    data = encode(noise, image_format)
    with pytest.raises((BrokenPhoto, NotAPhoto)):
        decode(data[: len(data) // 2])


def test_a_photo_whose_header_states_too_many_pixels_is_rejected_before_it_is_decoded(encode: Encode) -> None:
    data = bytearray(encode(Image.new("1", (8, 8)), "BMP"))
    data[18:26] = (60_000).to_bytes(4, "little") * 2
    with pytest.raises(PhotoTooLarge, match="60000 x 60000"):
        decode(bytes(data) + b"\0" * 100_000)


def test_a_photo_of_exactly_the_limit_is_decoded(encode: Encode) -> None:
    data = encode(Image.new("RGB", (20, 10)), "PNG")
    assert image_decode.decode(data, None, 200).size_wh == (20, 10)
    with pytest.raises(PhotoTooLarge):
        image_decode.decode(data, None, 199)


def test_data_is_never_taken_for_the_name_of_a_file() -> None:
    with pytest.raises(NotAPhoto):
        decode(io.BytesIO(b"photo.jpg").getvalue())


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_a_large_png_is_reduced_to_what_covers_the_model_and_looks_the_same(encode: Encode, mode: str) -> None:
    image = gradient(1404, 2202).convert("L" if mode == "I;16" else mode)
    data = encode(Image.fromarray(np.asarray(image, np.uint16) * 257) if mode == "I;16" else image, "PNG")
    whole, shrunk = decode(data), decode(data, (256, 256))
    assert shrunk.size_wh == whole.size_wh == (1404, 2202)
    assert 512 <= min(shrunk.pixels.shape[:2]) < 1024
    height, width = shrunk.pixels.shape[:2]
    expected = np.asarray(Image.fromarray(whole.pixels).resize((width, height), Image.Resampling.BOX), int)
    assert np.abs(shrunk.pixels - expected).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_decoding_a_highly_compressed_photo_needs_little_more_memory_than_its_pixels(
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
    assert float(done.stdout) < own_mb + 60  # an RGB copy of all of it, as Pillow keeps one, would be 137 MB more


@pytest.mark.parametrize("image_format", ["WEBP", "AVIF"])
def test_a_format_whose_decoder_needs_much_memory_may_have_half_the_pixels(encode: Encode, image_format: str) -> None:
    data = encode(gradient(20, 10), image_format)
    assert image_decode.decode(data, None, 400).size_wh == (20, 10)
    with pytest.raises(PhotoTooLarge, match="more than the limit of 199"):
        image_decode.decode(data, None, 398)


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 50}),
        ("WEBP", {"quality": 50, "exif": b"Exif\0\0"}),
        ("AVIF", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ],
)
def test_a_lack_of_memory_is_not_called_damage(
    encode: Encode, tmp_path: Path, image_format: str, options: dict[str, object]
) -> None:
    file = tmp_path / "photo"
    file.write_bytes(encode(Image.new("RGB", (4000, 3000), "tan"), image_format, **options))
    code = f"""
import pathlib, re, resource
from PIL import Image
from model.image import decode, repair, unsupported
Image.init()
data = pathlib.Path({str(file)!r}).read_bytes()
used_kb = int(re.search(r"VmSize:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
resource.setrlimit(resource.RLIMIT_AS, (used_kb * 1024 + 20 * 2**20,) * 2)
try:
    decode.decode(data, None, 10**8)
except MemoryError:
    print("memory")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "memory\n", done.stderr
