from __future__ import annotations

import pytest

from model.errors import BadOption
from model.options import Options
from model.tflite.card import ModelCard

CARD = ModelCard(labels=("ground", "cat", "dog"), palette=((0, 0, 0),) * 3, threshold=0.3)


def test_a_missing_option_has_its_default_and_the_threshold_that_of_the_card() -> None:
    assert Options.parse({}, CARD) == Options("mask", 0.3, "photo", None)


def test_every_option_is_parsed() -> None:
    values = {"output": "json", "threshold": "1", "size": "model", "class": "dog"}
    assert Options.parse(values, CARD) == Options("json", 1.0, "model", 2)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("colour", "red", "unknown option 'colour'; the options are output, threshold, size, class, format"),
        ("output", "video", "output must be one of mask, probability, overlay, cutout, json, not 'video'"),
        ("size", "", "size must be one of photo, model, not ''"),
        ("class", "horse", "class must be one of ground, cat, dog, not 'horse'"),
        ("threshold", "high", "threshold must be a number greater than 0 and at most 1, not 'high'"),
        ("threshold", "0", "threshold must be a number greater than 0 and at most 1, not '0'"),
        ("threshold", "1.01", "threshold must be a number greater than 0 and at most 1, not '1.01'"),
        ("threshold", "nan", "threshold must be a number greater than 0 and at most 1, not 'nan'"),
    ],
)
def test_an_invalid_option_is_rejected_by_name(name: str, value: str, message: str) -> None:
    with pytest.raises(BadOption) as error:
        Options.parse({name: value}, CARD)
    assert str(error.value) == message


def test_an_error_message_shows_only_the_start_of_a_long_value() -> None:
    with pytest.raises(BadOption) as error:
        Options.parse({"x" * 5000: ""}, CARD)
    assert len(str(error.value)) < 200
