"""Photos that are converted before they are sent: over the platform's limit of 32 MiB, or HEIC."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from client import Client, Mask, PhotoError
from client.cli.main import main
from tests.support.fake_function import FakeFunction, render

LIMIT_BYTES = 32 * 2**20
WIDTH, HEIGHT = 4400, 2600


@pytest.fixture(scope="module")
def large() -> bytes:
    """A photo over the limit, bright on its right half."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, WIDTH // 2 :] = 230
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "BMP")
    assert out.tell() > LIMIT_BYTES
    return out.getvalue()


def wrong_share(mask: Mask) -> float:
    """Return the share of pixels that differ from the expected mask: background left, object right."""
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[:, WIDTH // 2 :] = 1
    return float((np.minimum(mask.array, 1) != expected).mean())


def test_a_photo_over_the_limit_is_reduced_and_its_mask_is_enlarged(
    fake: FakeFunction, large: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(fake.url) as client:
        mask = client.segment(large)
    assert len(fake.requests[0].body) < LIMIT_BYTES
    assert mask.size_wh == (WIDTH, HEIGHT)
    assert mask.image.mode == "1"
    assert wrong_share(mask) < 0.002
    assert mask.result.sent_wh == (2048, 1210)
    assert "exceeds the platform's limit of 32 MiB" in caplog.text


def test_enlarging_a_mask_of_many_classes_adds_no_class(fake: FakeFunction, large: bytes) -> None:
    fake.classes = 8
    with Client(fake.url) as client:
        mask = client.segment(large)
    assert mask.size_wh == (WIDTH, HEIGHT)
    small = Image.open(io.BytesIO(render(fake.requests[0].body, classes=8)))
    assert set(np.unique(mask.array)) == set(np.unique(np.asarray(small)))
    assert wrong_share(mask) < 0.002


@pytest.mark.parametrize("image_format", ["TIFF", "PNG"])
def test_the_exif_orientation_of_a_large_photo_is_applied(fake: FakeFunction, image_format: str) -> None:
    pixels = np.zeros((3400, 3600, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, image_format, exif=exif, compress_level=0)
    with Client(fake.url) as client:
        mask = client.segment(out.getvalue())
    assert mask.size_wh == (3400, 3600)


def test_a_large_cutout_has_the_pixels_of_the_original_photo(fake: FakeFunction, large: bytes) -> None:
    with Client(fake.url) as client:
        result = client.request_output(large, output="cutout")
    with Image.open(io.BytesIO(result.body)) as cutout:
        assert (cutout.mode, cutout.size) == ("RGBA", (WIDTH, HEIGHT))
        assert cutout.getpixel((WIDTH - 1, 0)) == (230, 230, 230, 255)
        assert cutout.getpixel((0, 0)) == (0, 0, 0, 0)


@pytest.mark.parametrize("output", ["probability", "overlay"])
def test_the_other_images_have_the_photos_size_too(fake: FakeFunction, large: bytes, output: str) -> None:
    with Client(fake.url) as client:
        assert client.request_output(large, output=output).size_wh == (WIDTH, HEIGHT)  # type: ignore[arg-type]


def test_json_for_a_reduced_photo_comes_with_a_warning(
    fake: FakeFunction, large: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(fake.url) as client:
        result = client.request_output(large, output="json")
    assert json.loads(result.body)["size"] == [1210, 2048]
    assert "coordinates of the reduced photo" in caplog.text


def test_a_large_file_that_is_not_a_photo_is_not_sent(fake: FakeFunction) -> None:
    with Client(fake.url) as client, pytest.raises(PhotoError, match="cannot decode the photo"):
        client.segment(bytes(LIMIT_BYTES))
    assert fake.requests == []


def test_the_command_line_reports_that_a_photo_was_reduced(
    fake: FakeFunction, large: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "large.bmp").write_bytes(large)
    assert main([str(tmp_path), "--url", fake.url]) == 0
    output = capsys.readouterr()
    assert "exceeds the platform's limit of 32 MiB" in output.err
    assert "large-mask.png (sent as 2048 x 1210" in output.out
    with Image.open(tmp_path / "large-mask.png") as mask:
        assert mask.size == (WIDTH, HEIGHT)


def test_heic_is_sent_as_jpeg_if_pillow_heif_is_installed(fake: FakeFunction) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    bright = Image.new("RGB", (64, 48), (250, 250, 250))
    heic = io.BytesIO()
    pillow_heif.from_pillow(bright).save(heic, quality=90)
    with Client(fake.url) as client:
        mask = client.segment(heic.getvalue())
    assert fake.requests[0].body.startswith(b"\xff\xd8\xff")
    assert mask.size_wh == (64, 48)
    assert mask.array.all()


def test_the_error_for_heic_without_pillow_heif_says_what_to_install(
    fake: FakeFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with Client(fake.url) as client, pytest.raises(PhotoError, match="pip install pillow-heif"):
        client.segment(b"\x00\x00\x00\x18ftypheic" + bytes(64))
    assert fake.requests == []


def test_avif_is_sent_unchanged(fake: FakeFunction) -> None:
    avif = io.BytesIO()
    try:
        Image.new("RGB", (64, 48), "white").save(avif, "AVIF")
    except (KeyError, OSError):
        pytest.skip("this Pillow cannot write AVIF")
    with Client(fake.url) as client:
        assert client.segment(avif.getvalue()).png == render(avif.getvalue())
    assert fake.requests[0].body == avif.getvalue()
