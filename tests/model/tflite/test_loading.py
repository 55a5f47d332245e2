"""Models of every supported layout, made by tests/support/models/make.py, and a photo whose expected mask is known."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.errors import ModelRejected
from model.options import Options
from model.segmenter import Segmenter
from model.serving.model_loader import open_segmenter
from model.serving.settings import Settings
from model.tflite import card as cards
from model.tflite.card import ModelCard
from model.tflite.probe import TensorHints, probe
from model.tflite.runtime import RUNTIME
from tests.support.images import encode_image
from tests.support.paths import MODELS, ROOT

WIDTH, HEIGHT = 160, 96
RED, GREEN, BLUE = 1, 2, 3
COLOURS = np.array([[40, 40, 40], [255, 30, 30], [30, 255, 30], [30, 30, 255]], np.uint8)

RED_MODELS = [
    "probability",
    "logit",
    "square",
    "two-softmax",
    "two-logits",
    "uint8",
    "int8",
    "nchw",
    "bool",
    "no-channel",
    "no-batch",
    "no-batch-in",
    "flat",
    "dynamic-batch",
    "dynamic-stride",
    "metadata-activation",
    "metadata-uint8",
]
GREEN_MODELS = ["grey", "grey-uint8", "grey-bare"]
CLASS_MODELS = [
    "int8-classes",
    "uint8-softmax",
    "nchw-classes",
    "classes",
    "classes-softmax",
    "classes-small",
    "ids-int32",
    "ids-int64",
    "ids-uint8",
    "ids-float",
    "flat-classes",
    "dynamic",
    "several",
    "metadata",
    "metadata-no-background",
]
NEED_A_CARD: dict[str, dict[str, Any]] = {
    "minus-one-to-one": {"mean": [127.5], "std": [127.5]},
    "blue-first": {"order": "BGR"},
    "background-last": {"background": 1, "labels": ["thing", "background"]},
}


def expected_ids() -> NDArray[np.uint8]:
    """Return the class id of each pixel of the photo."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[24:72, 32:96] = RED
    ids[8:40, 112:144] = GREEN
    ids[56:88, 112:144] = BLUE
    return ids


def png(pixels: NDArray[np.uint8]) -> bytes:
    return encode_image(Image.fromarray(pixels), "PNG")


PHOTO = png(COLOURS[expected_ids()])


def segmenter_of(file: Path) -> Segmenter:
    return open_segmenter(Settings(model_uri=str(file)))


def load(name: str) -> Segmenter:
    return segmenter_of(MODELS / "served" / f"{name}.tflite")


def copy_of(name: str, folder: Path) -> Path:
    return Path(shutil.copy(MODELS / "served" / f"{name}.tflite", folder))


def segment(model: Segmenter, photo: bytes = PHOTO, **options: str) -> Image.Image:
    return Image.open(io.BytesIO(model.segment(photo, Options.parse(options, model.card)).body))


def iou(mask: NDArray[np.bool_], expected: NDArray[np.bool_]) -> float:
    return float((mask & expected).sum() / (mask | expected).sum())


def test_every_model_in_the_folder_is_tested() -> None:
    names = {file.stem for file in (MODELS / "served").iterdir()}
    assert names == {*RED_MODELS, *GREEN_MODELS, *CLASS_MODELS, *NEED_A_CARD}


@pytest.mark.parametrize(("name", "object_id"), [*((n, RED) for n in RED_MODELS), *((n, GREEN) for n in GREEN_MODELS)])
def test_an_object_is_white_in_a_one_bit_mask(name: str, object_id: int) -> None:
    model = load(name)
    mask = segment(model)
    assert (mask.mode, mask.size) == ("1", (WIDTH, HEIGHT))
    assert iou(np.asarray(mask), expected_ids() == object_id) > 0.93


@pytest.mark.parametrize("name", CLASS_MODELS)
def test_a_class_id_is_the_value_of_a_pixel_in_a_palette_mask(name: str) -> None:
    model = load(name)
    mask = segment(model)
    assert (mask.mode, mask.size) == ("P", (WIDTH, HEIGHT))
    assert len(model.card.labels) == 4
    for class_id in range(4):
        assert iou(np.asarray(mask) == class_id, expected_ids() == class_id) > 0.9, class_id
    assert (mask.getpalette() or [])[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


@pytest.mark.parametrize("name", NEED_A_CARD)
def test_a_model_is_served_correctly_once_it_has_a_card(name: str, tmp_path: Path) -> None:
    file = copy_of(name, tmp_path)
    assert iou(np.asarray(segment(load(name))), expected_ids() == RED) < 0.5
    cards.embed(file, ModelCard().with_values(NEED_A_CARD[name]))
    model = segmenter_of(file)
    assert model.card.source == "embedded"
    assert iou(np.asarray(segment(model)), expected_ids() == RED) > 0.93


@pytest.mark.parametrize("name", ["probability", "classes", "ids-int32", "dynamic"])
@pytest.mark.parametrize("output", ["mask", "probability", "overlay", "cutout", "json"])
def test_every_output_works_with_every_type_of_model(name: str, output: str) -> None:
    model = load(name)
    model_wh = (WIDTH, HEIGHT) if name == "dynamic" else (40, 24)
    for size, size_wh in (("photo", (WIDTH, HEIGHT)), ("model", model_wh)):
        body = model.segment(PHOTO, Options.parse({"output": output, "size": size}, model.card)).body
        if output == "json":
            assert json.loads(body)["size"] == list(size_wh)
        else:
            assert Image.open(io.BytesIO(body)).size == size_wh
    assert model.raw_output(PHOTO).size


def test_a_letterboxed_mask_does_not_include_the_bars(tmp_path: Path) -> None:
    file = copy_of("square", tmp_path)
    cards.embed(file, ModelCard(fit="letterbox", fill=(255, 0, 0)))
    model = segmenter_of(file)
    assert iou(np.asarray(segment(model)), expected_ids() == RED) > 0.8  # at 32 x 19, a pixel is 5 pixels of the photo
    assert segment(model, size="model").size == (32, 19)


def test_an_open_input_has_the_size_of_the_photo_up_to_a_limit() -> None:
    model = load("dynamic")
    photo = png(COLOURS[expected_ids()].repeat(10, axis=0).repeat(10, axis=1))
    assert segment(model, photo, size="model").size == (512, 307)
    assert segment(load("dynamic-stride"), photo, size="model").size == (512, 320)


def test_the_input_size_of_the_card_sets_that_of_a_model_of_any_size(tmp_path: Path) -> None:
    file = copy_of("dynamic-batch", tmp_path)
    cards.embed(file, ModelCard(input_size=(80, 48)))
    model = segmenter_of(file)
    assert segment(model, size="model").size == (80, 48)
    assert iou(np.asarray(segment(model)), expected_ids() == RED) > 0.97


def test_the_card_selects_an_output_by_name_or_index(tmp_path: Path) -> None:
    file = copy_of("several", tmp_path)
    without_card = segmenter_of(file)
    assert "of 3 outputs" in without_card.notes[0]
    coarse = next(i for i in range(3) if i != without_card.model.output.index and _is_segmentation(file, i))
    cards.embed(file, ModelCard().with_values({"output": coarse, "labels": ["a", "b", "c", "d"]}))
    model = segmenter_of(file)
    assert (model.model.output.index, model.model.output.size_wh, model.notes) == (coarse, (10, 6), ())
    file.write_bytes((MODELS / "served" / "several.tflite").read_bytes())
    cards.embed(file, ModelCard().with_values({"output": "depth", "labels": ["a", "b", "c", "d"]}))
    with pytest.raises(ModelRejected, match="output 'depth' is not a segmentation output"):
        segmenter_of(file)


def _is_segmentation(file: Path, index: int) -> bool:
    try:
        probe(file, TensorHints(output=index))
    except ModelRejected:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "source", "activation"),
    [
        ("probability", "inferred", "none"),
        ("logit", "inferred", "sigmoid"),
        ("two-softmax", "inferred", "none"),
        ("two-logits", "inferred", "softmax"),
        ("uint8", "inferred", "none"),
        ("int8-classes", "inferred", "softmax"),
        ("uint8-softmax", "inferred", "none"),
        ("ids-uint8", "inferred", "ids"),
        ("metadata", "metadata", "softmax"),
        ("metadata-activation", "metadata", "sigmoid"),
    ],
)
def test_the_source_of_the_card_and_the_inferred_activation_are_described(
    name: str, source: str, activation: str
) -> None:
    description = load(name).describe()
    assert (description["card"], description["activation"]) == (source, activation)


def test_standard_metadata_is_read() -> None:
    description = load("metadata").describe()
    assert (description["name"], description["version"]) == ("colours", "v7")
    assert description["input"]["mean"] == description["input"]["std"] == (127.5,) * 3
    assert [entry["name"] for entry in description["classes"]] == ["nothing", "red", "green", "blue"]
    without_background = load("metadata-no-background").describe()
    assert [entry["name"] for entry in without_background["classes"]] == ["background", "red", "green", "blue"]


def test_damaged_metadata_is_noted_and_ignored(tmp_path: Path) -> None:
    data = bytearray((MODELS / "served" / "metadata-activation.tflite").read_bytes())
    at = data.index(b"M001")
    data[at + 4 : at + 40] = b"\xff" * 36
    file = tmp_path / "damaged.tflite"
    file.write_bytes(data)
    model = segmenter_of(file)
    assert model.card.source == "inferred"
    assert "damaged" in model.notes[0]


def test_a_card_overrides_metadata_and_metadata_overrides_inference(tmp_path: Path) -> None:
    file = copy_of("metadata", tmp_path)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("silhouette.json", '{"name": "mine", "version": "2"}')
    description = segmenter_of(file).describe()
    assert (description["card"], description["name"], description["activation"]) == ("embedded", "mine", "softmax")
    assert description["input"]["mean"] == (127.5,) * 3
    assert description["classes"][1]["name"] == "red"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("classifier", "looks like a classifier"),
        ("five-channels", "5 channels"),
        ("no-image", "not an image"),
        ("two-inputs", "2 inputs"),
        ("custom-op", "needs the op Betainc"),
        ("mediapipe-op", "needs the op MaxPoolingWithArgmax2D|cannot load"),
        ("truncated", "truncated or damaged"),
        ("text", "truncated or damaged"),
        ("no-model", "is not a TFLite model"),
        ("crash", r"crashes on crash\.tflite \(SIGABRT\)"),
    ],
)
def test_an_unsupported_model_is_rejected_with_a_one_line_reason(name: str, reason: str) -> None:
    with pytest.raises(ModelRejected, match=reason) as error:
        segmenter_of(MODELS / "refused" / f"{name}.tflite")
    assert "\n" not in str(error.value)
    if name == "mediapipe-op" and RUNTIME == "tflite_runtime":
        assert "Python 3.12 or later" in str(error.value)


def test_a_card_for_another_number_of_classes_is_rejected(tmp_path: Path) -> None:
    file = copy_of("classes", tmp_path)
    cards.embed(file, ModelCard())
    with pytest.raises(ModelRejected, match="has 2 labels, but the model has 4 classes"):
        segmenter_of(file)


def test_the_function_exits_at_start_with_one_line_if_the_model_is_rejected(tmp_path: Path) -> None:
    refused = [str(MODELS / "refused" / f"{name}.tflite") for name in ("text", "crash")]
    for uri in (*refused, str(tmp_path / "none.tflite"), "ftp://host/model"):
        process = subprocess.run(
            [sys.executable, "-c", "from functions_framework import create_app; create_app('run', 'main.py')"],
            cwd=ROOT,
            env={**os.environ, "MODEL_URI": uri},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 1
        entry, line = process.stderr.strip().splitlines()
        assert json.loads(entry)["severity"] == "CRITICAL"
        assert line.startswith("silhouette cannot start: ")
