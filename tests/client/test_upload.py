"""Photos that must be changed before they can be sent: over the platform's 32 MiB, or HEIC."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from client import Client, Mask, PhotoError
from client.__main__ import main
from tests.client.test_fake_server import StandIn, render, standing_in

LIMIT_BYTES = 32 * 2**20
WIDTH, HEIGHT = 4400, 2600


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with standing_in() as running:
        yield running


@pytest.fixture(scope="module")
def large() -> bytes:
    """A photo over the limit, bright on its right half."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, WIDTH // 2 :] = 230
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "BMP")
    assert out.tell() > LIMIT_BYTES
    return out.getvalue()


def half_wrong(mask: Mask) -> float:
    """Give the share of pixels that are not as the photo is: dark left, bright right."""
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[:, WIDTH // 2 :] = 1
    return float((np.minimum(mask.array, 1) != expected).mean())


def test_a_photo_over_the_limit_is_sent_small_and_its_mask_comes_back_large(
    stand_in: StandIn, large: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(stand_in.url) as client:
        mask = client.segment(large)
    assert len(stand_in.seen[0].body) < LIMIT_BYTES
    assert mask.size_wh == (WIDTH, HEIGHT)
    assert mask.image.mode == "1"
    assert half_wrong(mask) < 0.002
    assert mask.answer.sent_wh == (2048, 1210)
    assert "over the 32 MiB" in caplog.text


def test_a_mask_of_many_classes_gains_no_class_by_being_enlarged(stand_in: StandIn, large: bytes) -> None:
    stand_in.classes = 8
    with Client(stand_in.url) as client:
        mask = client.segment(large)
    assert mask.size_wh == (WIDTH, HEIGHT)
    small = Image.open(io.BytesIO(render(stand_in.seen[0].body, classes=8)))
    assert set(np.unique(mask.array)) == set(np.unique(np.asarray(small)))
    assert half_wrong(mask) < 0.002


@pytest.mark.parametrize("form", ["TIFF", "PNG"])
def test_a_large_photo_stored_on_its_side_comes_back_upright(stand_in: StandIn, form: str) -> None:
    pixels = np.zeros((3400, 3600, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, exif=exif, compress_level=0)
    with Client(stand_in.url) as client:
        mask = client.segment(out.getvalue())
    assert mask.size_wh == (3400, 3600)


def test_a_large_cutout_is_cut_from_the_photo_itself(stand_in: StandIn, large: bytes) -> None:
    with Client(stand_in.url) as client:
        answer = client.ask(large, output="cutout")
    with Image.open(io.BytesIO(answer.body)) as cutout:
        assert (cutout.mode, cutout.size) == ("RGBA", (WIDTH, HEIGHT))
        assert cutout.getpixel((WIDTH - 1, 0)) == (230, 230, 230, 255)
        assert cutout.getpixel((0, 0)) == (0, 0, 0, 0)


@pytest.mark.parametrize("output", ["probability", "overlay"])
def test_the_other_pictures_have_the_photos_size_too(stand_in: StandIn, large: bytes, output: str) -> None:
    with Client(stand_in.url) as client:
        assert client.ask(large, output=output).size_wh == (WIDTH, HEIGHT)  # type: ignore[arg-type]


def test_json_about_a_large_photo_is_said_to_speak_of_the_small_one(
    stand_in: StandIn, large: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(stand_in.url) as client:
        answer = client.ask(large, output="json")
    assert json.loads(answer.body)["size"] == [1210, 2048]
    assert "speaks of the photo as it was sent" in caplog.text


def test_what_is_over_the_limit_and_no_photo_is_not_sent(stand_in: StandIn) -> None:
    with Client(stand_in.url) as client, pytest.raises(PhotoError, match="cannot be opened here"):
        client.segment(bytes(LIMIT_BYTES))
    assert stand_in.seen == []


def test_the_command_line_says_that_it_scaled_a_photo_down(
    stand_in: StandIn, large: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "large.bmp").write_bytes(large)
    assert main([str(tmp_path), "--url", stand_in.url]) == 0
    told = capsys.readouterr()
    assert "over the 32 MiB" in told.err
    assert "large-mask.png (sent as 2048 x 1210" in told.out
    with Image.open(tmp_path / "large-mask.png") as mask:
        assert mask.size == (WIDTH, HEIGHT)


def test_heic_is_sent_as_a_jpeg_where_pillow_heif_is_installed(stand_in: StandIn) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    bright = Image.new("RGB", (64, 48), (250, 250, 250))
    heic = io.BytesIO()
    pillow_heif.from_pillow(bright).save(heic, quality=90)
    with Client(stand_in.url) as client:
        mask = client.segment(heic.getvalue())
    assert stand_in.seen[0].body.startswith(b"\xff\xd8\xff")
    assert mask.size_wh == (64, 48)
    assert mask.array.all()


def test_heic_without_pillow_heif_says_what_to_install(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with Client(stand_in.url) as client, pytest.raises(PhotoError, match="pip install pillow-heif"):
        client.segment(b"\x00\x00\x00\x18ftypheic" + bytes(64))
    assert stand_in.seen == []


def test_avif_is_sent_as_it_is(stand_in: StandIn) -> None:
    avif = io.BytesIO()
    try:
        Image.new("RGB", (64, 48), "white").save(avif, "AVIF")
    except (KeyError, OSError):
        pytest.skip("this Pillow writes no AVIF")
    with Client(stand_in.url) as client:
        assert client.segment(avif.getvalue()).png == render(avif.getvalue())
    assert stand_in.seen[0].body == avif.getvalue()
