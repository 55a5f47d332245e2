"""The comparison of two functions."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from client.cli.main import main
from tests.support.fake_function import FakeFunction, busy, running_fake
from tests.support.images import encode_image, random_image, solid_image
from tests.support.photo_folder import NAMES, list_files, write_photo

COLOURS = {"grey": (200, 200, 200), "old only": (0, 114, 178), "new only": (230, 159, 0), "other": (204, 0, 119)}


@pytest.fixture
def old() -> Iterator[FakeFunction]:
    """The function to compare with; SILHOUETTE_URL points to another one."""
    with running_fake() as running:
        yield running


def describe_classes(*names: str, background: int | None = 0) -> dict[str, object]:
    return {"name": "m", "classes": [{"id": n, "name": name} for n, name in enumerate(names)], "background": background}


def iou(photo: bytes, new_from: int, old_from: int) -> float:
    """Return the intersection over union of the pixels that are at least as bright as each value."""
    grey = np.asarray(Image.open(io.BytesIO(photo)).convert("RGB").convert("L"))
    return float((grey >= max(new_from, old_from)).sum() / (grey >= min(new_from, old_from)).sum())


def test_equal_masks_agree_and_nothing_is_written(
    fake: FakeFunction, old: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photos), "--against", old.url, "--min-agreement", "1"]) == 0
    output = capsys.readouterr().out
    assert "mean IoU 1.0000 over 4 photo(s), lowest 1.0000" in output
    assert f"IoU 1.0000  {photos / 'a.png'}" in output
    assert len(fake.uploads) == len(old.uploads) == 4
    assert list_files(photos) == set(NAMES)


def test_each_photo_s_iou_is_printed_and_the_mean_decides(
    fake: FakeFunction, old: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old.bright = 150
    each = [iou(random_image(seed), 128, 150) for seed in range(4)]
    mean = sum(each) / 4
    assert 0.5 < min(each) < mean < 0.95
    assert main([str(photos), "--against", old.url, "--min-agreement", f"{mean - 0.001}"]) == 0
    output = capsys.readouterr().out
    assert f"IoU {each[2]:.4f}  {photos / 'deep' / 'c.png'}" in output
    assert f"mean IoU {mean:.4f}" in output
    assert main([str(photos), "--against", old.url, "--min-agreement", f"{mean + 0.001}", "--quiet"]) == 3
    assert "the mean agreement is below --min-agreement" in capsys.readouterr().err
    assert main([str(photos), "--against", old.url]) == 0


def test_a_single_photo_is_compared_too(fake: FakeFunction, old: FakeFunction, photos: Path) -> None:
    old.bright = 250
    assert main([str(photos / "a.png"), "--against", old.url, "--min-agreement", "0.5"]) == 3


def test_two_empty_masks_agree_fully_and_an_empty_one_agrees_with_no_other(
    fake: FakeFunction, old: FakeFunction, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "black.png").write_bytes(solid_image("black", format="PNG"))
    (tmp_path / "grey.png").write_bytes(solid_image("#909090", format="PNG"))
    old.bright = 0x91
    assert main([str(tmp_path), "--against", old.url]) == 0
    output = capsys.readouterr().out
    assert f"IoU 1.0000  {tmp_path / 'black.png'}" in output
    assert f"IoU 0.0000  {tmp_path / 'grey.png'}" in output


def test_times_and_cold_starts_of_both_are_printed_without_those_of_cold_starts(
    fake: FakeFunction, old: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(photos / "a.png"), "--url", old.url, "--out", str(photos.parent / "warm.png")])
    old.delay_s = 0.2
    assert main([str(photos), "--against", old.url, "--jobs", "1"]) == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if "model" not in line}
    assert lines["--url"][3] == "1"
    assert lines["--against"][3] == "0"
    assert float(lines["--url"][1]) < 150 < 200 < float(lines["--against"][1]) <= float(lines["--against"][2])
    assert lines["--url"][4] == "bright/1;"


def test_only_cold_starts_give_no_times(
    fake: FakeFunction, old: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photos / "a.png"), "--against", old.url]) == 0
    assert ["--url", "-", "-", "1"] in [line.split()[:4] for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("failing", ["--url", "--against"])
def test_a_photo_that_fails_on_one_side_fails_with_the_side_named(
    fake: FakeFunction, old: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str], failing: str
) -> None:
    side = {"--url": fake, "--against": old}[failing]
    side.fail = lambda number, request: busy(422) if request.body == random_image(1) else None
    assert main([str(photos), "--against", old.url, "--min-agreement", "1"]) == 1
    output = capsys.readouterr()
    assert f"b.png: {failing}: too many photos at once" in output.err
    assert "mean IoU 1.0000 over 3 photo(s)" in output.out


def test_a_function_that_refuses_the_caller_stops_the_run(
    fake: FakeFunction, old: FakeFunction, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(20):
        write_photo(tmp_path / f"{seed}.png", seed)
    old.fail = lambda number, request: busy(403) if request.method == "POST" else None
    assert main([str(tmp_path), "--against", old.url, "--jobs", "2"]) == 1
    assert len(old.uploads) < 6
    output = capsys.readouterr()
    assert "the remaining photos would fail too: --against:" in output.err
    assert "run the same command to continue" not in output.out


def test_classes_are_averaged_without_the_background(
    fake: FakeFunction, old: FakeFunction, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the fake, the class is the brightness: 4 classes of 64 grey values, and 3 of 85."""
    pixels = np.array([[10, 70, 70, 140, 140, 140, 200, 200, 200, 200]], np.uint8)
    (tmp_path / "grey.png").write_bytes(encode_image(Image.fromarray(pixels), "PNG"))
    names = ("background", "cat", "dog", "cow")
    fake.classes, old.classes = 4, 3
    fake.description = old.description = describe_classes(*names)
    assert main([str(tmp_path), "--against", old.url]) == 0
    # 10, 70 x 2, 140 x 3, 200 x 4: classes 0 1 1 2 2 2 3 3 3 3 against 0 0 0 1 1 1 2 2 2 2.
    assert "IoU 0.0000" in capsys.readouterr().out
    old.classes = 4
    assert main([str(tmp_path), "--against", old.url]) == 0
    assert "IoU 1.0000" in capsys.readouterr().out


def test_models_of_different_classes_are_compared_by_one_class_only(
    fake: FakeFunction, old: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.description = describe_classes("background", "cat", "dog")
    old.description = describe_classes("background", "cat")
    assert main([str(photos), "--against", old.url]) == 1
    assert "compare one class with --class NAME" in capsys.readouterr().err
    assert main([str(photos), "--against", old.url, "--class", "cat", "--threshold", "0.4"]) == 0
    assert fake.uploads[0].query == old.uploads[0].query == {"class": "cat", "threshold": "0.4"}


def test_masks_of_different_types_cannot_be_compared(
    fake: FakeFunction, old: FakeFunction, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old.classes = 4
    assert main([str(photos / "a.png"), "--against", old.url]) == 1
    assert "16 x 12 pixels of two classes and, of --against, 16 x 12 pixels of several" in capsys.readouterr().err


def test_the_sheet_has_the_ten_worst_with_their_difference(
    fake: FakeFunction, old: FakeFunction, tmp_path: Path
) -> None:
    for number in range(12):
        pixels = np.full((100, 100), 255, np.uint8)
        pixels[:, : number * 5] = 140  # only the new mask has these
        pixels[:10] = 0
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{number:02}.png").write_bytes(encode_image(Image.fromarray(pixels), "PNG"))
    old.bright = 200
    sheet = tmp_path / "sheet.png"
    command = [str(tmp_path / "in"), "--against", old.url, "--contact-sheet", str(sheet)]
    assert main(command) == main(command) == 0
    with Image.open(sheet) as image:
        image.load()
        differences = image.convert("RGB").crop((image.width - 232, 20, image.width, image.height))
        found = {colour: count for count, colour in differences.getcolors(1 << 20) or []}
        height = image.height
    # Rows 11 to 2: 5 n of 100 columns are new only, below 10 black lines.
    assert found[COLOURS["new only"]] == sum(90 * 5 * number for number in range(2, 12))
    assert found[COLOURS["grey"]] == sum(90 * (100 - 5 * number) for number in range(2, 12))
    assert COLOURS["old only"] not in found
    assert height < 10 * 130 + 30


def test_a_sheet_replaces_no_other_file(fake: FakeFunction, old: FakeFunction, photos: Path) -> None:
    other = photos.parent / "other.png"
    other.write_bytes(random_image(3))
    assert main([str(photos), "--against", old.url, "--contact-sheet", str(other)]) == 2
    assert other.read_bytes() == random_image(3)
    assert not fake.uploads


def test_the_log_has_the_agreement_and_both_times(
    fake: FakeFunction, old: FakeFunction, photos: Path, tmp_path: Path
) -> None:
    log = tmp_path / "run.jsonl"
    assert main([str(photos / "a.png"), "--against", old.url, "--log", str(log)]) == 0
    line = json.loads(log.read_text())
    assert (line["status"], line["agreement"], line["cold_start"]) == ("done", 1.0, True)
    assert line["against"]["round_trip_ms"] > 0
    assert "result" not in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--min-agreement", "0.9"], "--min-agreement requires --against URL"),
        (["--against", "ftp://x"], "it must start with http:// or https://"),
        (["--against", "URL", "--min-agreement", "98"], "'98' is not a number from 0 to 1"),
        (["--against", "URL", "--out", "masks"], "--out cannot be used with --against"),
        (["--against", "URL", "--output", "overlay"], "--output cannot be used with --against"),
        (["--against", "URL", "--background", "red"], "--background cannot be used with --against"),
        (["--against", "URL", "--size", "model"], "--size cannot be used with --against"),
        (["--against", "URL", "--masks", "gs://out"], "--masks cannot be used with --against"),
    ],
)
def test_what_contradicts_a_comparison_is_a_usage_error(
    photos: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(photos), *(argument.replace("URL", "http://127.0.0.1:9") for argument in arguments)])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("source", ["-", "gs://bucket/photos"])
def test_only_files_are_compared(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([source, "--against", "http://127.0.0.1:9"])
    assert "--against compares photos in files" in capsys.readouterr().err
