from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from model.tflite import card as cards
from model.tflite import card_sources, loading
from model.tflite.card import ModelCard
from tests.support.paths import MODELS


def test_a_later_layer_overrides_an_earlier_one_and_unstated_fields_are_defaults() -> None:
    values, sources = card_sources.merge(("metadata", {"name": "a", "mean": 1}), ("embedded", {"name": "b"}))
    assert values == {"name": "b", "mean": 1}
    assert (sources["name"], sources["mean"], sources["std"]) == ("embedded", "metadata", "default")
    assert "source" not in sources


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("probability", {"labels": "default", "mean": "default", "background": "default", "activation": "inferred"}),
        ("uint8", {"mean": "inferred", "std": "inferred"}),
        ("metadata", {"labels": "metadata", "name": "metadata", "mean": "metadata", "background": "default"}),
        ("metadata-activation", {"activation": "metadata"}),
    ],
)
def test_each_field_has_its_source(name: str, expected: dict[str, str]) -> None:
    sources = loading.load(MODELS / "served" / f"{name}.tflite", 1).sources
    assert {field: sources[field] for field in expected} == expected


def test_only_the_embedded_fields_of_a_partial_card_are_stated(tmp_path: Path) -> None:
    file = Path(shutil.copy(MODELS / "served" / "background-last.tflite", tmp_path))
    cards.embed(file, ModelCard(labels=("thing", "background"), background=0), ["labels"])
    with zipfile.ZipFile(file) as archive:
        assert b"mean" not in archive.read(cards.MEMBER)
    loaded = loading.load(file, 1)
    assert (loaded.card.background, loaded.sources["background"]) == (1, "inferred")
    assert (loaded.sources["labels"], loaded.sources["std"]) == ("embedded", "default")
