from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.errors import ModelRejected
from model.tflite.card import ModelCard
from model.training import describe, evaluate
from model.training.cli import CommandError
from model.training.measure import latency
from tests.support.paths import MODELS
from tests.support.training import CARD


@pytest.fixture(scope="module")
def report(
    unets: dict[str, Path], converted: Path, discs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a report on the U-Net and two of its conversions, with the latency measured twice."""
    out = tmp_path_factory.mktemp("report")
    models = [unets["BGR"], converted / "unet-bgr-float16.tflite", converted / "unet-bgr-int8-full.tflite"]
    options = ["--photos", discs[0], "--masks", discs[1], "--all", "--runs", 3, "--runtime-python", sys.executable]
    evaluate.main([*map(str, [*models, *options, "--max-drop", 0.05, "--out", out]), *CARD, "--order", "BGR"])
    return out


def test_models_are_compared_on_the_same_photos(report: Path) -> None:
    h5, float16, int8 = json.loads((report / "report.json").read_text())
    assert h5["iou"] > 0.85
    assert abs(float16["iou"] - h5["iou"]) < 0.002
    assert abs(int8["iou"] - h5["iou"]) < 0.05
    assert h5["labels"] == ["background", "red", "blue"]
    assert len(h5["class_iou"]) == len(h5["pooled_iou"]) == 3
    assert len(h5["photo_iou"]) == 24
    assert 0.5 < h5["boundary_f"] <= 1
    assert float16["bytes"] < h5["bytes"]


def test_latency_and_memory_are_measured_in_each_runtime(report: Path) -> None:
    h5, float16, _ = json.loads((report / "report.json").read_text())
    assert h5["figures"] == []
    assert len(float16["figures"]) == 2
    for figures in float16["figures"]:
        assert figures["runtime"] == "ai_edge_litert"
        assert 0 < figures["median_ms"] <= figures["p95_ms"]
        assert figures["resident_mb"] > figures["model_mb"] > 0


def test_the_report_has_a_table_and_pictures(report: Path) -> None:
    text = (report / "report.md").read_text()
    assert "| unet-bgr.h5" in text
    assert "ai_edge_litert" in text
    for name in ("unet-bgr", "unet-bgr-float16", "unet-bgr-int8-full"):
        assert f"(worst-{name}.png)" in text
        with Image.open(report / f"worst-{name}.png") as picture:
            assert picture.size == (1152, 960)


def test_a_model_that_crashes_the_runtime_is_rejected(discs: tuple[Path, Path], tmp_path: Path) -> None:
    options = ["--photos", discs[0], "--masks", discs[1], "--all", "--out", tmp_path]
    with pytest.raises(ModelRejected, match="SIGABRT"):
        evaluate.main([*map(str, [MODELS / "refused" / "crash.tflite", *options])])


def test_a_drop_over_the_limit_is_an_error(converted: Path, discs: tuple[Path, Path], tmp_path: Path) -> None:
    models = [converted / f"unet-bgr-{recipe}.tflite" for recipe in ("float32", "int8")]
    options = ["--photos", discs[0], "--masks", discs[1], "--all", "--runs", 0, "--max-drop", -1, "--out", tmp_path]
    with pytest.raises(CommandError, match=r"the IoU of .*int8\.tflite is .* the limit is -1"):
        evaluate.main([*map(str, [*models, *options])])
    assert (tmp_path / "report.md").exists()


def test_the_marked_share_of_photos_without_an_object_is_reported(
    converted: Path, discs: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / "empty" / "grey.png")
    options = ["--photos", discs[0], "--masks", discs[1], "--all", "--runs", 0, "--negatives", tmp_path / "empty"]
    evaluate.main([*map(str, [converted / "unet-bgr-float16.tflite", *options, "--out", tmp_path])])
    (result,) = json.loads((tmp_path / "report.json").read_text())
    assert result["marked"]["grey"] < 0.05


def save_red(file: Path, scale: float = 1.0) -> None:
    """Save a model that segments red pixels, whose input is pixel / 255 * scale."""
    import keras

    image = keras.Input((64, 64, 3))
    red = keras.layers.Conv2D(1, 5, padding="same", activation="sigmoid", name="red")
    model = keras.Model(image, red(image))
    kernel = np.tile(np.array([1.0, -0.5, -0.5]) / scale, (5, 5, 1))[..., None]
    red.set_weights([kernel.astype(np.float32), np.array([-6.0], np.float32)])
    model.save(file)


def test_the_iou_with_the_border_is_that_of_the_best_threshold(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    save_red(tmp_path / "red.keras")
    options = ["--photos", drawn[0], "--masks", drawn[1], "--all", "--out", tmp_path]
    evaluate.main([*map(str, [tmp_path / "red.keras", *options])])
    (result,) = json.loads((tmp_path / "report.json").read_text())
    assert result["iou"] > 0.85
    assert 0.9 < result["border_iou"] <= 1
    assert 0 < result["border_threshold"] < 1


def test_a_model_with_too_few_classes_is_rejected(
    drawn: tuple[Path, Path], discs: tuple[Path, Path], tmp_path: Path
) -> None:
    import keras

    image = keras.Input((32, 32, 3))
    keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(image)).save(tmp_path / "m.keras")
    with pytest.raises(CommandError, match=r"class ids that m\.keras, with 2 classes, does not have"):
        evaluate.main([*map(str, [tmp_path / "m.keras", "--photos", discs[0], "--masks", discs[1], "--all"])])


def test_a_model_with_other_labels_is_rejected(converted: Path, discs: tuple[Path, Path], tmp_path: Path) -> None:
    model = Path(shutil.copy(converted / "unet-bgr-float16.tflite", tmp_path / "m.tflite"))
    describe.write_card(model, ModelCard().with_values({"labels": ["a", "b"]}))
    with pytest.raises(ModelRejected, match="has 2 labels, but the model has 3 classes"):
        evaluate.main([*map(str, [model, "--photos", discs[0], "--masks", discs[1], "--all"])])


def test_a_reference_with_a_wrong_assumed_normalization_is_rejected(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_red(tmp_path / "red.keras", 255)
    options = ["--photos", drawn[0], "--masks", drawn[1], "--all", "--runs", 0, "--out", tmp_path]
    with pytest.raises(CommandError, match=r"is assumed .* --preprocess none gives"):
        evaluate.main([*map(str, [tmp_path / "red.keras", *options, "--max-drop", 0.01])])
    evaluate.main([*map(str, [tmp_path / "red.keras", *options])])
    assert "WARNING: the normalization of red.keras is assumed" in capsys.readouterr().out


def test_a_letterboxed_model_is_evaluated(converted: Path, discs: tuple[Path, Path], tmp_path: Path) -> None:
    model = Path(shutil.copy(converted / "unet-bgr-float16.tflite", tmp_path / "m.tflite"))
    describe.main([*map(str, [model, "--write", "--fit", "letterbox", "--fill", "808080"])])
    options = ["--photos", discs[0], "--masks", discs[1], "--all", "--runs", 0, "--out", tmp_path]
    evaluate.main([*map(str, [model, *options])])
    (result,) = json.loads((tmp_path / "report.json").read_text())
    assert result["iou"] > 0.8


def test_the_reference_is_fed_as_the_card_of_the_tflite_says_unless_the_options_say_otherwise(
    unets: dict[str, Path], converted: Path, discs: tuple[Path, Path], tmp_path: Path
) -> None:
    models = [unets["BGR"], converted / "unet-bgr-float16.tflite"]
    options = ["--photos", discs[0], "--masks", discs[1], "--all", "--runs", 0, "--out", tmp_path]
    evaluate.main([*map(str, [*models, *options, "--max-drop", 0.002])])
    wrong = Path(shutil.copy(models[1], tmp_path / "wrong.tflite"))
    describe.main([*map(str, [wrong, "--write", "--preprocess", "0-1"])])
    right = ["--preprocess", "none", "--order", "BGR"]
    with pytest.raises(CommandError, match=r"the IoU of wrong\.tflite is .* below"):
        evaluate.main([*map(str, [unets["BGR"], wrong, *options, *right, "--max-drop", 0.05])])


def test_a_failed_measurement_is_reported_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "bad.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with pytest.raises(CommandError, match=r"bad\.tflite cannot be measured with"):
        latency.measure_with(Path(sys.executable), tmp_path / "bad.tflite", 1)
    with pytest.raises(CommandError, match=r"cannot be measured with .*no-python"):
        latency.measure_with(tmp_path / "no-python", tmp_path / "bad.tflite", 1)
