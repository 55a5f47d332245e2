from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.tflite.tensor_specs import InputSpec, OutputSpec
from model.training import card_draft, output_meaning
from model.training.card_draft import CardDraft
from model.training.cli import CommandError
from tests.support.training import parse_card_options


class Fake:
    """A model whose channels are the red of its input times a factor, with an offset."""

    def __init__(self, channels: int, factor: float = 1.0, offset: float = 0.0) -> None:
        self.input = InputSpec("NHWC", (1, 16, 16, 3), 3)
        self.output = OutputSpec(0, "map", "1HWK", (16, 16), channels)
        self._factor, self._offset = factor, offset

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[Any]:
        return np.repeat(tensor[..., :1] * self._factor + self._offset, self.output.channels, axis=-1)


def complete(model: Fake, *options: str) -> CardDraft:
    draft = card_draft.start(parse_card_options(*options), Path("m.h5"))
    return output_meaning.complete(draft, model, None)


def test_one_channel_needs_no_labels_whatever_its_activation() -> None:
    assert complete(Fake(1)).card.activation == "none"
    assert complete(Fake(1, 40, -20)).card.activation == "sigmoid"
    draft = complete(Fake(1, 40, -20), "--activation", "sigmoid")
    assert (draft.card.activation, draft.states("labels")) == ("sigmoid", False)


def test_several_channels_with_a_stated_sigmoid_are_independent() -> None:
    draft = complete(Fake(2, 40, -20), "--activation", "sigmoid", "--classes", "cat,dog", "--threshold", "0.4,0.6")
    assert draft.card.labels == ("background", "cat", "dog")
    with pytest.raises(CommandError, match="name them with --classes"):
        complete(Fake(2, 40, -20), "--activation", "sigmoid")


def test_a_linear_output_near_0_to_1_is_asked_about() -> None:
    with pytest.raises(CommandError, match="--activation none; if it holds logits, --activation sigmoid"):
        complete(Fake(1, 1.2, -0.1))


def test_the_first_class_is_assumed_to_be_the_background_with_a_note() -> None:
    draft = complete(Fake(3), "--classes", "sky,sea,land")
    assert not draft.states("background")
    assert "no class is named background: sky is taken for it" in draft.notes[0]


def test_one_score_of_the_class_before_the_background_is_asked_about() -> None:
    with pytest.raises(CommandError, match="use --classes background,pet"):
        complete(Fake(1), "--classes", "pet,background")
    assert complete(Fake(1), "--classes", "pet,background", "--background", "pet").card.background == 0
