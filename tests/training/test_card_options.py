from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from model.errors import ModelRejected
from model.training import card_options
from model.training.cli import CommandError


def parse(*options: object) -> argparse.Namespace:
    """Parse options of the card."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    card_options.add_arguments(parser)
    return parser.parse_args([str(option) for option in options])


def test_options_become_fields_of_the_card(tmp_path: Path) -> None:
    args = parse("--mean", "127", "--std", "1,2,3", "--classes", "table, disc", "--palette", "000000,#ff8000")
    card = card_options.build_card(args, tmp_path / "model.h5", 1)
    assert (card.name, card.mean, card.std) == ("model", (127, 127, 127), (1, 2, 3))
    assert (card.labels, card.palette) == (("table", "disc"), ((0, 0, 0), (255, 128, 0)))


def test_options_override_the_card_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(json.dumps({"name": "beside", "version": "3"}))
    card = card_options.build_card(parse("--version", "4"), tmp_path / "model.h5", 1)
    assert (card.name, card.version) == ("beside", "4")


def test_a_given_card_takes_the_place_of_the_one_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(json.dumps({"name": "beside"}))
    (tmp_path / "given.json").write_text(json.dumps({"name": "given", "activation": "sigmoid"}))
    args = parse("--card", tmp_path / "given.json")
    card = card_options.build_card(args, tmp_path / "model.h5", 1)
    assert (card.name, card.activation) == ("given", "sigmoid")
    assert not card_options.must_infer_activation(args)


def test_default_labels_and_palette_fit_the_number_of_classes(tmp_path: Path) -> None:
    card = card_options.build_card(parse(), tmp_path / "model.h5", 3)
    assert card.labels == ("background", "class 1", "class 2")
    assert len(card.palette) == 3


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--classes", "one,two,three"], CommandError),
        (["--threshold", "2"], ModelRejected),
        (["--std", "0"], ModelRejected),
    ],
)
def test_values_that_do_not_fit_are_rejected(tmp_path: Path, options: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        card_options.build_card(parse(*options), tmp_path / "model.h5", 1)


@pytest.mark.parametrize("options", [["--mean", "1,2"], ["--palette", "fff"], ["--palette", "0000"]])
def test_malformed_values_are_rejected_by_the_parser(options: list[str]) -> None:
    with pytest.raises(argparse.ArgumentError):
        parse(*options)
