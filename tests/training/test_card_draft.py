from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.errors import ModelRejected
from model.tflite.card import ModelCard
from model.training import card_draft
from model.training.card_draft import CardDraft
from model.training.cli import CommandError
from tests.support.training import parse_card_options as parse


def start(folder: Path, *options: object) -> CardDraft:
    return card_draft.start(parse(*options), folder / "model.h5")


def test_options_become_fields_of_the_card(tmp_path: Path) -> None:
    options = ["--mean", "127", "--std", "1,2,3", "--classes", "table, disc", "--palette", "000000,#ff8000"]
    draft = start(tmp_path, *options)
    card = draft.card
    assert (card.name, card.mean, card.std) == ("model", (127, 127, 127), (1, 2, 3))
    assert (card.labels, card.palette) == (("table", "disc"), ((0, 0, 0), (255, 128, 0)))
    assert set(draft.names) == {"name", "mean", "std", "labels", "palette"}


def test_only_what_was_stated_is_embedded(tmp_path: Path) -> None:
    draft = start(tmp_path, "--order", "BGR")
    assert draft.names == ["name", "order"]
    assert (draft.sources["order"], draft.sources["mean"]) == ("option", "default")


def test_options_override_the_card_beside_the_model_which_is_announced(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(json.dumps({"name": "beside", "version": "3"}))
    draft = start(tmp_path, "--version", "4")
    assert (draft.card.name, draft.card.version) == ("beside", "4")
    assert (draft.sources["name"], draft.sources["version"]) == ("card.json", "option")
    assert "card.json beside the model is used" in draft.notes[0]


def test_a_given_card_takes_the_place_of_the_one_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(json.dumps({"name": "beside"}))
    (tmp_path / "given.json").write_text(json.dumps({"name": "given", "activation": "sigmoid"}))
    draft = start(tmp_path, "--card", tmp_path / "given.json")
    assert (draft.card.name, draft.card.activation, draft.notes) == ("given", "sigmoid", ())


@pytest.mark.parametrize(("background", "class_id"), [("sky", 1), ("0", 0), ("none", None), ("background", 2)])
def test_the_background_is_a_class_its_index_or_none(tmp_path: Path, background: str, class_id: int | None) -> None:
    draft = start(tmp_path, "--classes", "tree,sky,background", "--background", background)
    assert draft.card.background == class_id


def test_a_background_that_is_not_a_class_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--background sea is neither a class"):
        start(tmp_path, "--classes", "tree,sky", "--background", "sea")


def test_new_labels_outdate_the_background_of_the_card_file(tmp_path: Path) -> None:
    values = {"labels": ["background", "pet"], "background": 0, "palette": [[0, 0, 0], [9, 9, 9]]}
    (tmp_path / "card.json").write_text(json.dumps(values))
    draft = start(tmp_path, "--classes", "pet,background")
    assert not draft.states("background")
    assert draft.card.palette[1] == (9, 9, 9)
    assert not start(tmp_path, "--classes", "pet,cat,background").states("palette")


@pytest.mark.parametrize("options", [["--threshold", "2"], ["--std", "0"], ["--classes", "one"]])
def test_values_that_do_not_fit_are_rejected(tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(ModelRejected):
        start(tmp_path, *options)


def test_the_card_in_words_states_what_is_assumed(tmp_path: Path) -> None:
    words = card_draft.words(start(tmp_path), (64, 48))
    assert words.startswith("input: 64 x 48, RGB, pixel / 255 (assumed)\n")
    assert "background background (assumed)" in words
    words = card_draft.words(start(tmp_path, "--preprocess", "caffe", "--classes", "a,background"), (64, 48))
    assert "BGR, (pixel - (103.939, 116.779, 123.68)) / 1, as caffe (option)" in words
    assert "classes: a, background (option)" in words


def test_a_complete_card_is_a_source_of_every_field() -> None:
    (_, assumed), (name, values) = card_draft.all_stated(ModelCard(name="x"), "somewhere", {"std": "default"})
    assert (name, values["name"], values["border"]) == ("somewhere", "x", 0)
    assert assumed == {"std": (255.0, 255.0, 255.0)}
    assert not {"source", "std"} & values.keys()


def test_the_assumed_palette_of_a_base_does_not_stay_when_the_labels_change(tmp_path: Path) -> None:
    card = ModelCard().with_values({"labels": ["background", "a", "b"]})
    base = card_draft.all_stated(card, "somewhere", {"palette": "default"})
    draft = card_draft.start(parse("--classes", "a,b"), tmp_path / "m.h5", base)
    assert len(draft.card.palette) == 2
