from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from model.errors import ModelRejected
from model.tflite import card
from model.tflite.bundled import BUNDLED_MODEL
from model.tflite.card import ModelCard

CARD = ModelCard(name="cells", version="3", mean=(1.0, 2.0, 3.0), order="BGR", threshold=0.25)


def test_an_embedded_card_is_read_back_unchanged(tmp_path: Path) -> None:
    model = tmp_path / "cells.tflite"
    model.write_bytes(b"\x1c\0\0\0TFL3" + bytes(1000))
    card.embed(model, CARD)
    embedded = card.read(model)
    assert embedded is not None
    assert embedded.source == "embedded"
    assert embedded.to_json() == CARD.to_json()
    assert model.read_bytes().startswith(b"\x1c\0\0\0TFL3")


def test_a_second_card_is_rejected(tmp_path: Path) -> None:
    model = Path(shutil.copy(BUNDLED_MODEL, tmp_path / "pets.tflite"))
    with pytest.raises(ValueError, match="already has a card"):
        card.embed(model, CARD)


def test_a_model_without_a_card_reads_as_none(tmp_path: Path) -> None:
    model = tmp_path / "plain.tflite"
    model.write_bytes(b"\x1c\0\0\0TFL3" + bytes(1000))
    assert card.read(model) is None
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("labels.txt", "cat\ndog\n")
    assert card.read(model) is None


def test_the_bundled_model_has_a_complete_card() -> None:
    bundled = card.read(BUNDLED_MODEL)
    assert bundled is not None
    assert bundled.labels == ("background", "pet")
    assert bundled.mean == (127.0, 127.0, 127.0)
    assert bundled.description
    assert bundled.licence


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": "GBR"}, "order"),
        ({"activation": "relu"}, "activation"),
        ({"mean": [1, 2]}, "mean"),
        ({"std": [1, 0, 1]}, "std"),
        ({"mean": "dark"}, "mean"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": "half"}, "invalid model card"),
        ({"thresholds": [0.5, 0.5]}, "thresholds"),
        ({"thresholds": [0]}, "threshold"),
        ({"border": -1}, "border"),
        ({"border": "wide"}, "border"),
        ({"labels": ["one"]}, "labels"),
        ({"labels": ["a", "a"]}, "labels"),
        ({"palette": [[0, 0, 0]]}, "palette"),
        ({"palette": [[0, 0, 0], [1, 2, 300]]}, "palette"),
        ({"mean": ["a", "b", "c"]}, "numbers"),
        ({"labels": "ab"}, "labels"),
        ({"fit": "crop"}, "fit"),
        ({"fill": [1, 2]}, "fill"),
        ({"background": 2}, "background"),
        ({"background": None}, "background"),
        ({"input_size": [0, 10]}, "input_size"),
        ({"output_size": [10]}, "output_size"),
        ({"output": [1]}, "output"),
        ({"name": 7}, "name"),
        ({"source": "embedded"}, "unknown fields: source"),
        ({"colour": "red"}, "unknown fields: colour"),
    ],
)
def test_an_invalid_card_is_rejected_with_the_name_of_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelRejected, match=message):
        ModelCard.from_json(json.dumps({**json.loads(CARD.to_json()), **change}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_card_that_is_not_a_json_object_is_rejected(text: str) -> None:
    with pytest.raises(ModelRejected):
        ModelCard.from_json(text)


def test_the_default_palette_is_that_of_pascal_voc() -> None:
    voc = ModelCard.from_json(json.dumps({"labels": ["background", "plane", "bike", "bird", "boat"]}))
    assert voc.palette == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128))


def test_mean_and_std_may_be_one_number_for_all_channels() -> None:
    assert ModelCard.from_json('{"mean": [127.5], "std": [127.5]}').mean == (127.5,)


def test_a_damaged_card_is_rejected_not_ignored(tmp_path: Path) -> None:
    model = tmp_path / "cells.tflite"
    model.write_bytes(b"\x1c\0\0\0TFL3" + bytes(1000))
    card.embed(model, CARD)
    data = bytearray(model.read_bytes())
    data[1008 + 60] ^= 255  # inside the compressed card
    model.write_bytes(data)
    with pytest.raises(ModelRejected, match="card"):
        card.read(model)


def test_fields_that_version_1_does_not_know_are_written_only_if_they_are_set() -> None:
    assert not {"border", "thresholds"} & json.loads(ModelCard().to_json()).keys()
    assert json.loads(ModelCard(border=4).to_json())["border"] == 4
    assert json.loads(ModelCard(border=4).to_json(["name", "border"])) == {"name": "model", "border": 4}
