from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.tflite import card as cards
from model.tflite import loading
from model.training import describe, normalization
from model.training.cli import CommandError
from model.training.measure import contact_sheet, readings
from model.training.measure.readings import CARD_NAME
from tests.support.paths import MODELS


def served(name: str, folder: Path) -> Path:
    return Path(shutil.copy(MODELS / "served" / f"{name}.tflite", folder))


def write_photo(folder: Path, colour: str = "#962020") -> tuple[Path, Path]:
    """Write a photo of a disc, which is just red enough for the right reading on ground that is not, and its mask."""
    photo, mask = Image.new("RGB", (160, 96), "#7e3030"), Image.new("L", (160, 96))
    for image, value in ((photo, colour), (mask, 255)):
        ImageDraw.Draw(image).ellipse((50, 20, 110, 80), value)
    photo.save(folder / "photo.png")
    mask.save(folder / "mask.png")
    return folder / "photo.png", folder / "mask.png"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("probability", ("RGB", 0.0, 255.0)),
        ("minus-one-to-one", ("RGB", 127.5, 127.5)),
        ("blue-first", ("BGR", 0.0, 255.0)),
    ],
)
def test_with_a_mask_the_right_reading_is_written(
    name: str, expected: tuple[str, float, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = served(name, tmp_path)
    photo, mask = write_photo(tmp_path)
    describe.main([str(model), "--photo", str(photo), "--mask", str(mask), "--write"])
    card = cards.read(model)
    assert card is not None
    assert (card.order, card.mean[0], card.std[0]) == expected
    text = capsys.readouterr().out
    assert "IoU with the mask" in text
    assert "hint" not in text
    with Image.open(tmp_path / f"{name}-readings.png") as picture:
        assert picture.width > 2 * contact_sheet.TILE_PX


def test_without_a_mask_the_text_says_that_the_ranking_is_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, picture = served("logit", tmp_path), tmp_path / "out.png"
    before = model.read_bytes()
    photo, _ = write_photo(tmp_path)
    describe.main([str(model), "--photo", str(photo), "--picture", str(picture)])
    assert "without --mask this ranking is a hint" in capsys.readouterr().out
    assert picture.is_file()
    assert model.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mask", "mask.png"], "--mask needs --photo"),
        (["--photo", "a.png", "b.png", "--mask", "a.png"], "one mask per photo"),
        (["--photo", "a.png", "--write", "--order", "BGR"], "leave out --order"),
        (["--photo", "none.png"], "none.png"),
    ],
)
def test_options_that_contradict_each_other_are_rejected(options: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises((CommandError, FileNotFoundError), match=message):
        describe.main([str(served("logit", tmp_path)), *options])


def test_an_eight_bit_input_excludes_what_it_cannot_represent() -> None:
    model = loading.load(MODELS / "served" / "uint8.tflite", 1)
    names = {reading.name for reading in readings.plausible(model.input, model.card)}
    assert any(CARD_NAME in name for name in names)
    assert not any("caffe" in name or "none" in name for name in names)


def test_a_grey_input_has_no_order() -> None:
    model = loading.load(MODELS / "served" / "grey.tflite", 1)
    names = [reading.name for reading in readings.plausible(model.input, model.card)]
    assert all("BGR" not in name and "imagenet" not in name for name in names)
    assert any("minus1-1" in name for name in names)


def test_the_normalizations_are_those_of_preprocess() -> None:
    assert readings.NORMALIZATIONS.keys() == normalization.PRESETS.keys()
    for name, preset in normalization.PRESETS.items():
        step = -1 if preset.get("order") == "BGR" else 1
        assert readings.NORMALIZATIONS[name] == (preset["mean"][::step], preset["std"][::step])


def test_each_reading_occurs_once() -> None:
    model = loading.load(MODELS / "served" / "probability.tflite", 1)
    values = [reading.values for reading in readings.plausible(model.input, model.card)]
    assert len(values) == 20
    assert all(values.count(value) == 1 for value in values)


def test_a_mask_of_one_class_is_not_stable() -> None:
    photo = np.zeros((8, 8, 3), np.uint8)
    card = loading.load(MODELS / "served" / "probability.tflite", 1).card
    assert (
        readings.stability(
            lambda pixels, _: np.ones(pixels.shape[:2], np.uint8), card, photo, np.ones((8, 8), np.uint8)
        )
        == 0
    )


def test_raw_bytes_have_a_handicap() -> None:
    photo = np.zeros((32, 32, 3), np.uint8)
    photo[8:24, 8:24] = 200
    card = loading.load(MODELS / "served" / "probability.tflite", 1).card

    def segment(pixels: readings.Pixels, _: cards.ModelCard) -> readings.Ids:
        return (pixels[..., 0] > 100).astype(np.uint8)

    raw = card.with_values({"mean": (0.0,) * 3, "std": (1.0,) * 3})
    mask = segment(photo, card)
    assert readings.stability(segment, card, photo, mask) == 1
    assert readings.stability(segment, raw, photo, mask) == pytest.approx(readings.RAW_FACTOR)


def test_the_variants_have_the_masks_of_their_pixels() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    mask = (photo[..., 0] > 128).astype(np.uint8)
    mirrored, brightened, shifted = readings.variants(photo, mask)
    for pixels, expected in (mirrored, shifted):
        np.testing.assert_array_equal(pixels[..., 0] > 128, expected)
    assert brightened[0].mean() > photo.mean()
