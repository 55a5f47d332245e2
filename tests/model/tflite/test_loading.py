"""Models of every shape, made by tests/support/models/make.py, each with a photo whose right mask is known."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
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
from tests.support.paths import MODELS, ROOT

WIDTH, HEIGHT = 160, 96
RED, GREEN, BLUE = 1, 2, 3
COLOURS = np.array([[40, 40, 40], [255, 30, 30], [30, 255, 30], [30, 30, 255]], np.uint8)

REDS = [
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
GREENS = ["grey", "grey-uint8", "grey-bare"]
CLASSES = [
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
NEED_A_CARD = {
    "minus-one-to-one": {"mean": [127.5], "std": [127.5]},
    "blue-first": {"order": "BGR"},
    "background-last": {"background": 1, "labels": ["thing", "background"]},
}


def truth() -> np.ndarray:
    """The class of every pixel of the photo."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[24:72, 32:96] = RED
    ids[8:40, 112:144] = GREEN
    ids[56:88, 112:144] = BLUE
    return ids


def png(pixels: np.ndarray) -> bytes:
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue()


PHOTO = png(COLOURS[truth()])


def load(name: str) -> Segmenter:
    return open_segmenter(Settings(model_uri=str(MODELS / "served" / f"{name}.tflite")))


def answer(model: Segmenter, photo: bytes = PHOTO, **asked: str) -> Image.Image:
    return Image.open(io.BytesIO(model.segment(photo, Options.parse(asked, model.card)).body))


def iou(found: np.ndarray, right: np.ndarray) -> float:
    return float((found & right).sum() / (found | right).sum())


def test_every_model_that_is_here_is_tried() -> None:
    names = {file.stem for file in (MODELS / "served").iterdir()}
    assert names == {*REDS, *GREENS, *CLASSES, *NEED_A_CARD}


@pytest.mark.parametrize(("name", "object_id"), [*((n, RED) for n in REDS), *((n, GREEN) for n in GREENS)])
def test_an_object_is_white_in_a_one_bit_mask(name, object_id) -> None:
    model = load(name)
    mask = answer(model)
    assert (mask.mode, mask.size) == ("1", (WIDTH, HEIGHT))
    assert iou(np.asarray(mask), truth() == object_id) > 0.93


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_the_value_of_a_palette_mask(name) -> None:
    model = load(name)
    mask = answer(model)
    assert (mask.mode, mask.size) == ("P", (WIDTH, HEIGHT))
    assert len(model.card.labels) == 4
    for class_id in range(4):
        assert iou(np.asarray(mask) == class_id, truth() == class_id) > 0.9, class_id
    assert mask.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


@pytest.mark.parametrize("name", NEED_A_CARD)
def test_a_model_serves_once_its_card_says_how(name, tmp_path: Path) -> None:
    file = Path(shutil.copy(MODELS / "served" / f"{name}.tflite", tmp_path))
    assert iou(np.asarray(answer(load(name))), truth() == RED) < 0.5
    cards.embed(file, ModelCard().with_values(NEED_A_CARD[name]))
    model = open_segmenter(Settings(model_uri=str(file)))
    assert model.card.source == "embedded"
    assert iou(np.asarray(answer(model)), truth() == RED) > 0.93


@pytest.mark.parametrize("name", ["probability", "classes", "ids-int32", "dynamic"])
@pytest.mark.parametrize("output", ["mask", "probability", "overlay", "cutout", "json"])
def test_every_output_works_with_every_kind(name: str, output: str) -> None:
    model = load(name)
    small = (WIDTH, HEIGHT) if name == "dynamic" else (40, 24)
    for size, size_wh in (("photo", (WIDTH, HEIGHT)), ("model", small)):
        body = model.segment(PHOTO, Options.parse({"output": output, "size": size}, model.card)).body
        if output == "json":
            assert json.loads(body)["size"] == list(size_wh)
        else:
            assert Image.open(io.BytesIO(body)).size == size_wh
    assert model.raw_output(PHOTO).size


def test_letterbox_gives_the_mask_without_the_bars(tmp_path: Path) -> None:
    file = Path(shutil.copy(MODELS / "served" / "square.tflite", tmp_path))
    cards.embed(file, ModelCard(fit="letterbox", fill=(255, 0, 0)))
    model = open_segmenter(Settings(model_uri=str(file)))
    assert iou(np.asarray(answer(model)), truth() == RED) > 0.8  # at 32 x 19, a pixel is 5 of the photo's
    assert answer(model, size="model").size == (32, 19)


def test_the_photos_own_size_goes_up_to_a_limit() -> None:
    model = load("dynamic")
    photo = png(COLOURS[truth()].repeat(10, axis=0).repeat(10, axis=1))
    assert answer(model, photo, size="model").size == (512, 307)
    assert answer(load("dynamic-stride"), photo, size="model").size == (512, 320)


def test_an_input_size_of_the_card_fixes_a_model_that_takes_any(tmp_path: Path) -> None:
    file = Path(shutil.copy(MODELS / "served" / "dynamic-batch.tflite", tmp_path))
    cards.embed(file, ModelCard(input_size=(80, 48)))
    model = open_segmenter(Settings(model_uri=str(file)))
    assert answer(model, size="model").size == (80, 48)
    assert iou(np.asarray(answer(model)), truth() == RED) > 0.97


def test_the_card_picks_an_output_by_name_or_number(tmp_path: Path) -> None:
    file = Path(shutil.copy(MODELS / "served" / "several.tflite", tmp_path))
    plain = open_segmenter(Settings(model_uri=str(file)))
    assert "of 3 outputs" in plain.notes[0]
    coarse = next(i for i in range(3) if i != plain.model.output.index and _is_map(file, i))
    cards.embed(file, ModelCard().with_values({"output": coarse, "labels": ["a", "b", "c", "d"]}))
    model = open_segmenter(Settings(model_uri=str(file)))
    assert (model.model.output.index, model.model.output.size_wh, model.notes) == (coarse, (10, 6), ())
    file.write_bytes((MODELS / "served" / "several.tflite").read_bytes())
    cards.embed(file, ModelCard().with_values({"output": "depth", "labels": ["a", "b", "c", "d"]}))
    with pytest.raises(ModelRejected, match="output 'depth' is not a segmentation output"):
        open_segmenter(Settings(model_uri=str(file)))


def _is_map(file: Path, index: int) -> bool:
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
def test_what_was_guessed_is_told(name: str, source: str, activation: str) -> None:
    about = load(name).describe()
    assert (about["card"], about["activation"]) == (source, activation)


def test_standard_metadata_is_read() -> None:
    about = load("metadata").describe()
    assert (about["name"], about["version"]) == ("colours", "v7")
    assert about["input"]["mean"] == about["input"]["std"] == (127.5,) * 3
    assert [entry["name"] for entry in about["classes"]] == ["nothing", "red", "green", "blue"]
    short = load("metadata-no-background").describe()
    assert [entry["name"] for entry in short["classes"]] == ["background", "red", "green", "blue"]


def test_damaged_metadata_is_noted_and_left_aside(tmp_path: Path) -> None:
    data = bytearray((MODELS / "served" / "metadata-activation.tflite").read_bytes())
    at = data.index(b"M001")
    data[at + 4 : at + 40] = b"\xff" * 36
    file = tmp_path / "damaged.tflite"
    file.write_bytes(data)
    model = open_segmenter(Settings(model_uri=str(file)))
    assert model.card.source == "inferred"
    assert "damaged" in model.notes[0]


def test_a_card_lays_over_metadata_and_metadata_over_guesses(tmp_path: Path) -> None:
    file = Path(shutil.copy(MODELS / "served" / "metadata.tflite", tmp_path))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("silhouette.json", '{"name": "mine", "version": "2"}')
    about = open_segmenter(Settings(model_uri=str(file))).describe()
    assert (about["card"], about["name"], about["activation"]) == ("embedded", "mine", "softmax")
    assert about["input"]["mean"] == (127.5,) * 3
    assert about["classes"][1]["name"] == "red"


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
    ],
)
def test_a_model_that_cannot_serve_is_refused_in_one_line(name: str, reason: str) -> None:
    with pytest.raises(ModelRejected, match=reason) as error:
        open_segmenter(Settings(model_uri=str(MODELS / "refused" / f"{name}.tflite")))
    assert "\n" not in str(error.value)
    if name == "mediapipe-op" and RUNTIME == "tflite_runtime":
        assert "Python 3.12 or later" in str(error.value)


def test_a_card_for_other_classes_is_refused(tmp_path: Path) -> None:
    file = Path(shutil.copy(MODELS / "served" / "classes.tflite", tmp_path))
    cards.embed(file, ModelCard())
    with pytest.raises(ModelRejected, match="has 2 labels, but the model has 4 classes"):
        open_segmenter(Settings(model_uri=str(file)))


def test_the_function_stops_at_start_with_one_line_where_the_model_cannot_serve(tmp_path: Path) -> None:
    for uri in (str(MODELS / "refused" / "text.tflite"), str(tmp_path / "none.tflite"), "ftp://host/model"):
        done = subprocess.run(
            [sys.executable, "-c", "from functions_framework import create_app; create_app('run', 'main.py')"],
            cwd=ROOT,
            env={**os.environ, "MODEL_URI": uri},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        entry, line = done.stderr.strip().splitlines()
        assert json.loads(entry)["severity"] == "CRITICAL"
        assert line.startswith("silhouette cannot start: ")
