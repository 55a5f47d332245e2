from __future__ import annotations

import csv
import json
from pathlib import Path

import keras
import pytest
from PIL import Image

from model.training import quantize, train
from model.training.cli import CommandError
from model.training.measure.interpreter import Interpreter
from tests.support.training import RunCommand, error_line, train_arguments


@pytest.mark.usefixtures("train_small_network")
def test_a_run_writes_what_the_next_commands_need(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    train.main(train_arguments(drawn, tmp_path, "--epochs", 2, "--labels", "table,disc"))
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert set(rows[0]) == {"epoch", "loss", "iou", "border_iou", "border_threshold"}
    with Image.open(tmp_path / "curves.png") as curves:
        colours = curves.convert("RGB").getcolors(1 << 20)
        assert colours is not None
        assert len(colours) > 3
    quantize.main([str(tmp_path / "model.h5")])
    assert json.loads((tmp_path / "card.json").read_text())["labels"] == ["table", "disc"]
    assert Interpreter(tmp_path / "model-float16.tflite").input_wh == (64, 64)
    assert {file.name for file in tmp_path.iterdir()} == {
        "card.json",
        "checkpoint.npz",
        "curves.png",
        "history.csv",
        "model.h5",
        "model-float16.tflite",
    }


@pytest.mark.usefixtures("train_small_network")
def test_three_classes_are_learnt(discs: tuple[Path, Path], tmp_path: Path) -> None:
    plan = ["--epochs", 70, "--classes", 3, "--peak-rate", 0.02, "--every", 70]
    train.main(train_arguments(discs, tmp_path, *plan))
    (*_, last) = csv.DictReader((tmp_path / "history.csv").open())
    assert float(last["iou"]) > 0.5
    assert keras.models.load_model(tmp_path / "model.h5", compile=False).output_shape[-1] == 3


@pytest.mark.usefixtures("train_small_network")
def test_photos_with_a_name_prefix_are_held_out_and_photos_without_object_are_trained_on(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for i in range(3):
        Image.new("RGB", (80, 64), (40 * i, 90, 90)).save(tmp_path / "empty" / f"{i}.png")
    selection = ["--leave-out", "other", "--negatives", tmp_path / "empty", "--epochs", 1]
    train.main(train_arguments(drawn, tmp_path / "out", *selection))
    assert "19 photos to train on, 8 held out" in capsys.readouterr().out


def test_invalid_options_are_rejected_in_one_line(
    drawn: tuple[Path, Path], discs: tuple[Path, Path], tmp_path: Path, run_command: RunCommand
) -> None:
    with pytest.raises(CommandError, match="multiple of 32"):
        train.main(train_arguments(drawn, tmp_path, "--size", 50))
    with pytest.raises(CommandError, match="--encoder-rate must not be negative"):
        train.main(train_arguments(drawn, tmp_path, "--encoder-rate", -1))
    with pytest.raises(CommandError, match="--fresh-encoder needs --weights"):
        train.main(train_arguments(drawn, tmp_path, "--fresh-encoder"))
    with pytest.raises(CommandError, match="has 3 labels for --classes 2"):
        train.main(train_arguments(drawn, tmp_path, "--labels", "a,b,c"))
    with pytest.raises(CommandError, match="add --classes 3"):
        train.main(train_arguments(discs, tmp_path))
    missing = run_command("train", "--photos", tmp_path / "none", "--masks", tmp_path)
    assert "there is no folder" in error_line(missing)
    assert list(tmp_path.iterdir()) == []
