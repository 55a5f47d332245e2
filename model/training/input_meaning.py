"""What a model takes as input: inferred if it scales its input itself, and compared with what the options state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.training import cli, normalization
from model.training.card_draft import CardDraft

if TYPE_CHECKING:
    from model.training.nets.float_model import FloatModel


def complete(draft: CardDraft, model: FloatModel) -> CardDraft:
    """Complete a draft with the range of pixel values that a model takes, if the model shows it.

    Args:
        draft: What was stated.
        model: The float model.

    Returns:
        The draft, with mean and std if they were found out.

    Raises:
        CommandError: If the stated mean and std give the model another range.
    """
    from model.training.nets import input_scaling

    if model.takes_bytes:
        takes: tuple[float, float] | None = (0.0, 255.0)
        reason = "the model's input is of an integer type"
    else:
        with cli.silence_native_output():
            takes = input_scaling.taken_range(model.function)
        reason = "the model scales its input itself"
    if takes is None:
        return draft
    if draft.states("mean") or draft.states("std"):
        normalization.check_input_range(draft.card, takes, reason)
        return draft
    preset = normalization.PRESETS["none" if takes[1] == 255 else "0-1"]
    return draft.with_found(preset, reason)
