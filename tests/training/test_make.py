from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from model.training import make, quantize
from model.training.cli import CommandError
from tests.support.training import CARD


def test_a_keras_model_becomes_a_model_that_can_be_served(
    unets: dict[str, Path], discs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--photos", str(discs[0]), "--samples", "4", "--out", str(tmp_path), *CARD, "--order", "BGR"]
    make.main([str(unets["BGR"]), *options])
    target = tmp_path / "unet-bgr-float16.tflite"
    text = capsys.readouterr().out
    assert "% of the pixels differ" in text
    assert "card (embedded" in text
    assert f"MODEL_URI={target} make serve" in text
    assert f"deploy it:  ./deploy.sh --project PROJECT --model {target}\n" in text
    assert target.with_name("unet-bgr-float16-check.png").is_file()


def test_make_needs_photos_and_one_recipe(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--photos"):
        make.main(["m.keras"])
    with pytest.raises(CommandError, match="one recipe"):
        make.main(["m.keras", "--photos", str(tmp_path), "--recipe", "all"])


def test_check_draws_the_masks_of_both_models(
    unets: dict[str, Path], discs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, target = sorted(discs[0].iterdir())[0], tmp_path / "discs.tflite"
    quantize.main([str(unets["BGR"]), "--out", str(target), *CARD, "--order", "BGR", "--check", str(photo)])
    assert f"{photo.name}: 0." in capsys.readouterr().out
    with Image.open(tmp_path / "discs-check.png") as picture:
        assert picture.width == 4 * 200


def test_a_photo_that_cannot_be_decoded_is_named(unets: dict[str, Path], tmp_path: Path) -> None:
    photo = tmp_path / "text.jpg"
    photo.write_text("text")
    with pytest.raises(CommandError, match=r"text\.jpg"):
        quantize.main([str(unets["BGR"]), "--out", str(tmp_path), *CARD, "--check", str(photo)])
