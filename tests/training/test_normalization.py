from __future__ import annotations

from typing import Any

import pytest

from model.tflite.card import ModelCard
from model.training import normalization
from model.training.cli import CommandError
from tests.support.training import parse_card_options as parse


@pytest.mark.parametrize("name", normalization.PRESETS)
def test_a_preprocessing_that_people_know_has_a_name(name: str) -> None:
    assert normalization.stated_by(parse("--preprocess", name)) == (normalization.PRESETS[name], "")


def test_numbers_in_units_of_0_to_1_are_converted_and_noted() -> None:
    values, note = normalization.stated_by(parse("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"))
    assert values["mean"] == pytest.approx(normalization.PRESETS["imagenet"]["mean"])
    assert values["std"] == pytest.approx(normalization.PRESETS["imagenet"]["std"])
    assert "units of 0-1" in note


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mean", "127"], "--mean also needs --std"),
        (["--mean", "0.5", "--std", "255"], "not in the same units"),
        (["--std", "0.5"], "not in the same units"),
        (["--mean", "127", "--std", "0.5"], "not in the same units"),
        (["--preprocess", "caffe", "--order", "RGB"], "leave out --order"),
        (["--preprocess", "0-1", "--std", "255"], "leave out --mean and --std"),
    ],
)
def test_options_that_contradict_each_other_are_rejected(options: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        normalization.stated_by(parse(*options))


@pytest.mark.parametrize("options", [["--std", "1"], ["--mean", "0", "--std", "1"], ["--mean", "127", "--std", "128"]])
def test_numbers_of_0_to_255_are_taken_as_they_are(options: list[str]) -> None:
    assert normalization.stated_by(parse(*options))[1] == ""


@pytest.mark.parametrize("values", [{"mean": 127}, {"std": [1, 1, 1]}, {"mean": [0.5], "std": [0.5]}])
def test_a_card_file_in_other_units_or_with_one_of_two_is_rejected(values: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match=r"c\.json"):
        normalization.check_card_file(values, "c.json")


def test_a_normalization_that_gives_another_range_than_the_model_takes_is_rejected() -> None:
    zero_to_one = ModelCard()
    normalization.check_input_range(zero_to_one, (0, 1), "x")
    with pytest.raises(CommandError, match="use --preprocess none"):
        normalization.check_input_range(zero_to_one, (0, 255), "the model scales its input itself")
    with pytest.raises(CommandError, match="use --preprocess 0-1"):
        normalization.check_input_range(ModelCard(mean=(127.5,), std=(127.5,)), (0, 1), "x")
