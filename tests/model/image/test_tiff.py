"""TIFF layouts that Pillow does not read as their tags say: each is decoded right, or its error names the tag."""

from __future__ import annotations

import contextlib
import zlib
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.errors import BrokenPhoto, NotAPhoto, PhotoTooLarge
from model.image.decode import decode
from tests.support import tiff
from tests.support.tiff import Tags

Order = Literal["<", ">"]
ORDERS: list[Order] = ["<", ">"]
ACROSS = np.tile(np.linspace(0, 1, 64), (40, 1))
DOWN = np.tile(np.linspace(0, 1, 40)[:, None], (1, 64))
COLOURS = np.dstack([ACROSS, ACROSS[:, ::-1], DOWN])
EIGHT_BITS = (COLOURS * 255).round()


def integers(values: NDArray[Any], dtype: str) -> NDArray[np.generic]:
    """Scale values of 0 to 1 to the range of an integer type."""
    info = np.iinfo(dtype)
    return (values * (int(info.max) - int(info.min)) + int(info.min)).round().astype(dtype)


def difference(data: bytes, expected: NDArray[np.float64] = ACROSS) -> float:
    """Return the largest difference of a decoded photo from values of 0 to 1."""
    pixels = decode(data, None, 10**6).pixels
    rgb = expected if expected.ndim == 3 else np.dstack([expected] * 3)
    assert pixels.shape == rgb.shape
    return float(np.abs(pixels - rgb * 255).max())


def compressed(page: tuple[Tags, list[bytes]]) -> tuple[Tags, list[bytes]]:
    tags, strips = page
    return {**tags, tiff.COMPRESSION: 8}, [zlib.compress(strip) for strip in strips]


def packed_12_bits(values: NDArray[Any]) -> bytes:
    numbers = (values * 4095).round().astype(int)
    even, odd = numbers[:, 0::2], numbers[:, 1::2]
    packed: bytes = np.stack([even >> 4, (even & 15) << 4 | odd >> 8, odd & 255], -1).astype(np.uint8).tobytes()
    return packed


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_rgb_of_8_and_16_bits_is_read_interleaved_and_planar(
    dtype: str, planar: bool, deflate: bool, order: Order
) -> None:
    page = tiff.page(integers(COLOURS, dtype), 2, order=order, planar=planar)
    assert difference(tiff.tiff(compressed(page) if deflate else page, order=order), COLOURS) <= 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "i4", "f4"])
def test_grey_of_every_type_is_read(dtype: str, deflate: bool, order: Order) -> None:
    pixels = ACROSS.astype(dtype) if dtype == "f4" else integers(ACROSS, dtype)
    page = tiff.page(pixels, 1, order=order)
    assert difference(tiff.tiff(compressed(page) if deflate else page, order=order)) <= 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_white_is_zero_inverts_grey_of_every_depth(dtype: str, deflate: bool, order: Order) -> None:
    pixels = (1 - ACROSS).astype(dtype) if dtype == "f4" else integers(1 - ACROSS, dtype)
    page = tiff.page(pixels, 0, order=order)
    assert difference(tiff.tiff(compressed(page) if deflate else page, order=order)) <= 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("photometric", [0, 1])
def test_packed_grey_of_12_bits_uses_the_range_of_12_bits(photometric: int, deflate: bool, order: Order) -> None:
    tags, _ = tiff.page(integers(ACROSS, "u2"), photometric, order=order)
    page = {**tags, tiff.BITS: 12}, [packed_12_bits(ACROSS if photometric else 1 - ACROSS)]
    assert difference(tiff.tiff(compressed(page) if deflate else page, order=order)) <= 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_extra_samples_of_grey_are_read(extra: int, order: Order) -> None:
    tags, strips = tiff.page(integers(np.dstack([ACROSS, np.ones_like(ACROSS)]), "u1"), 1, order=order)
    assert difference(tiff.tiff(({**tags, tiff.EXTRA_SAMPLES: extra}, strips), order=order)) <= 1


@pytest.mark.parametrize("scale", [257, 1])
def test_a_colour_map_of_16_or_of_8_bits_is_read(scale: int) -> None:
    tags, strips = tiff.page(integers(ACROSS, "u1"), 3)
    colours = [value * scale for value in range(256)] * 3
    assert difference(tiff.tiff(({**tags, tiff.COLOR_MAP: colours}, strips))) <= 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "tag", [{tiff.NEW_SUBFILE_TYPE: 1}, {tiff.NEW_SUBFILE_TYPE: 4}, {tiff.NEW_SUBFILE_TYPE: 5}, {tiff.SUBFILE_TYPE: 2}]
)
def test_a_preview_or_a_mask_before_the_photo_is_skipped(tag: Tags, order: Order) -> None:
    tags, strips = tiff.page(np.zeros((20, 32, 3), np.uint8), 2, order=order)
    photo = tiff.page(integers(COLOURS, "u1"), 2, order=order)
    assert difference(tiff.tiff(({**tags, **tag}, strips), ({**tags, **tag}, strips), photo, order=order), COLOURS) <= 1


def test_the_first_of_several_pages_of_full_resolution_is_decoded() -> None:
    small = tiff.page(np.zeros((20, 32, 3), np.uint8), 2)
    reduced = {**small[0], tiff.NEW_SUBFILE_TYPE: 1}, small[1]
    assert difference(tiff.tiff(tiff.page(integers(COLOURS, "u1"), 2), reduced, small), COLOURS) <= 1


def test_a_preview_alone_is_rejected_by_the_name_of_its_tag() -> None:
    """As in a DNG, whose full image is raw camera data in a sub-directory."""
    tags, strips = tiff.page(np.zeros((20, 32, 3), np.uint8), 2)
    with pytest.raises(NotAPhoto, match="NewSubfileType"):
        decode(tiff.tiff(({**tags, tiff.NEW_SUBFILE_TYPE: 1}, strips)), None, 10**6)


def test_the_limit_holds_for_the_page_that_is_decoded() -> None:
    tags, strips = tiff.page(np.zeros((2, 3, 3), np.uint8), 2)
    data = tiff.tiff(({**tags, tiff.NEW_SUBFILE_TYPE: 1}, strips), tiff.page(integers(COLOURS, "u1"), 2))
    with pytest.raises(PhotoTooLarge, match="64 x 40"):
        decode(data, None, 100)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("dtype", "channels", "photometric", "tags", "words"),
    [
        ("f4", 3, 2, {}, "BitsPerSample 32, 32, 32; SampleFormat floating point"),
        ("u4", 3, 2, {}, "BitsPerSample 32, 32, 32; SampleFormat unsigned integer"),
        ("f2", 1, 1, {}, "BitsPerSample 16; SampleFormat floating point"),
        ("f8", 1, 1, {}, "BitsPerSample 64"),
        ("i1", 1, 1, {}, "SampleFormat signed integer of 8 bits"),
        ("u1", 3, 8, {}, "PhotometricInterpretation CIELab"),
        ("u2", 1, 32803, {}, "PhotometricInterpretation raw camera data"),
        ("u2", 3, 34892, {}, "PhotometricInterpretation linear raw camera data"),
        ("u1", 4, 5, {332: 2}, "InkSet"),
        ("u1", 3, 6, {530: [2, 2]}, "YCbCrSubSampling"),
        ("u1", 3, 2, {tiff.COMPRESSION: 34712}, "Compression 34712"),
        ("u1", 3, 2, {tiff.COMPRESSION: 50002}, "Compression 50002"),
        ("u2", 3, 2, {tiff.FILL_ORDER: 2}, "FillOrder 2"),
        ("u2", 2, 1, {tiff.EXTRA_SAMPLES: 2}, "ExtraSamples 2"),
    ],
)
def test_a_layout_that_is_not_supported_is_named(
    dtype: str, channels: int, photometric: int, tags: Tags, words: str, order: Order
) -> None:
    pixels = np.zeros((8, 8, channels) if channels > 1 else (8, 8), dtype)
    own, strips = tiff.page(pixels, photometric, order=order)
    with pytest.raises(NotAPhoto, match=words):
        decode(tiff.tiff(({**own, **tags}, strips), order=order), None, 10**6)


@pytest.mark.parametrize("tag", [tiff.BITS, tiff.PHOTOMETRIC, tiff.COMPRESSION, tiff.COLOR_MAP, tiff.NEW_SUBFILE_TYPE])
@pytest.mark.parametrize("value", [[], [1, 2, 3, 4, 5, 6, 7], 2**31])
def test_a_damaged_tag_is_an_error_of_the_photo(tag: int, value: int | list[int]) -> None:
    tags, strips = tiff.page(integers(ACROSS, "u1"), 3)
    colours = list(range(256)) * 3
    data = tiff.tiff(({**tags, tiff.COLOR_MAP: colours, tag: value}, strips))
    with contextlib.suppress(NotAPhoto, BrokenPhoto):
        decode(data, None, 10**6)


def test_pillows_own_files_are_still_read() -> None:
    from tests.support.images import encode_image

    for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F", "LA"):
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            image = Image.fromarray(EIGHT_BITS.astype(np.uint8)).convert("L").convert("I" if mode == "I;16" else mode)
            data = encode_image(image, "TIFF", compression=compression)
            assert decode(data, None, 10**6).size_wh == (64, 40), (mode, compression)
