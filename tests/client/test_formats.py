"""Overlays and cutouts as WebP and JPEG."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image

from client import AsyncClient, BadResponse, Client, OutputFormat
from client.cli.main import main
from client.upload import Limits, prepare_upload
from tests.support.fake_function import Failure, FakeFunction
from tests.support.images import encode_image, random_image
from tests.support.photo_folder import NAMES, list_files

PHOTO = random_image(7)


@pytest.mark.parametrize("output", ["overlay", "cutout"])
@pytest.mark.parametrize("file_format", ["png", "webp", "jpeg"])
def test_a_result_has_the_requested_format(
    client: Client, fake: FakeFunction, output: str, file_format: OutputFormat
) -> None:
    result = client.request_output(PHOTO, output=output, format=file_format)  # type: ignore[arg-type]
    assert fake.requests[0].query.get("format", "png") == file_format
    assert (result.media_type, result.size_wh) == (f"image/{file_format}", (16, 12))
    with Image.open(io.BytesIO(result.body)) as image:
        assert image.format == file_format.upper()


def test_the_asyncio_client_requests_a_format(fake: FakeFunction) -> None:
    async def media_type() -> str:
        async with AsyncClient(fake.url) as client:
            return (await client.request_output(PHOTO, output="overlay", format="webp")).media_type

    assert asyncio.run(media_type()) == "image/webp"


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (Failure(200, media_type="image/png", body=PHOTO), "expected image/webp .* got image/png"),
        (Failure(200, media_type="image/webp", body=PHOTO), "is not such an image"),
    ],
)
def test_a_response_of_another_format_is_rejected(
    client: Client, fake: FakeFunction, response: Failure, message: str
) -> None:
    fake.fail = lambda number, request: response
    with pytest.raises(BadResponse, match=message):
        client.request_output(PHOTO, output="overlay", format="webp")


@pytest.mark.parametrize(
    ("output", "file_format", "mode"),
    [("overlay", "jpeg", "RGB"), ("overlay", "webp", "RGB"), ("cutout", "webp", "RGBA"), ("cutout", "jpeg", "RGB")],
)
def test_the_result_of_a_reduced_photo_has_the_format_and_the_photos_size(
    client: Client, monkeypatch: pytest.MonkeyPatch, output: str, file_format: OutputFormat, mode: str
) -> None:
    photo = encode_image(Image.open(io.BytesIO(PHOTO)).resize((400, 300)), "BMP")
    monkeypatch.setattr("client.client.prepare_upload", lambda data, limits: prepare_upload(data, Limits(100_000)))
    result = client.request_output(photo, output=output, format=file_format)  # type: ignore[arg-type]
    with Image.open(io.BytesIO(result.body)) as image:
        assert (image.format, image.mode, image.size) == (file_format.upper(), mode, (400, 300))


def test_the_command_line_writes_a_folder_of_a_format(fake: FakeFunction, photos: Path, tmp_path: Path) -> None:
    arguments = [str(photos), "--output", "overlay", "--format", "jpeg", "--out", str(tmp_path / "out")]
    assert main(arguments) == main(arguments) == 0
    names = {f"{Path(name).with_suffix('').as_posix()}-overlay.jpg" for name in NAMES}
    assert list_files(tmp_path / "out") == names
    assert len(fake.uploads) == len(NAMES)
    assert fake.uploads[0].query == {"output": "overlay", "format": "jpeg"}


def test_results_beside_their_photos_are_not_segmented_in_any_format(fake: FakeFunction, photos: Path) -> None:
    for file_format in ("jpeg", "webp"):
        assert main([str(photos), "--output", "overlay", "--format", file_format]) == 0
    assert len(fake.uploads) == 2 * len(NAMES)


def test_a_comparison_requests_its_other_panel_as_png(fake: FakeFunction, photos: Path) -> None:
    photo, comparison = photos / "a.png", photos / "c.png"
    assert main([str(photo), "--output", "cutout", "--format", "webp", "--compare", str(comparison)]) == 0
    assert [request.query.get("format") for request in fake.uploads] == ["webp", None, None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "jpeg"], "--output mask cannot be written as jpeg"),
        (["--format", "webp", "--output", "probability"], "cannot be written as webp"),
        (["--format", "png", "--output", "json"], "cannot be written as png"),
        (["--format", "jpeg", "--output", "cutout"], "use .png, .webp"),
        (["--format", "webp", "--output", "overlay", "--out", "x.jpg"], "contradicts --format webp"),
        (["--format", "gif", "--output", "overlay"], "invalid choice"),
    ],
)
def test_a_format_that_cannot_hold_the_output_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["p.jpg", *arguments])
    assert raised.value.code == 2
    assert message in capsys.readouterr().err
