"""The plan of a training run: its phases, and in each the learning rate and the memory of the running mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

# with its normalizations; with them folded into the convolutions, as in service; and so with int8's roundings
Form = Literal["normalized", "folded", "rounded"]


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one input size and one course of the learning rate.

    first, last: its epochs, the last not included
    course: the epochs over which the rate rises and falls; those of the phase or of the whole run
    peak: the highest rate
    memory: of the running mean of the weights, from one step to the next; a short phase has a shorter one
    form: of the network in training
    """

    size_px: int
    first: int
    last: int
    course: tuple[int, int]
    peak: float
    memory: float = 0.998
    form: Form = "normalized"

    @property
    def file(self) -> str:
        """What its model is saved as."""
        return "model-aware.h5" if self.form == "rounded" else "model.h5"


def phases(size_px: int, epochs: int, peak: float, form: Form) -> list[Phase]:
    """Plan a run: most epochs at three quarters of the size, which is half the work, then the full size.

    form: how the run ends; "rounded": with a tenth as many epochs more; "folded": all epochs are so, at the full size
    """
    if form == "folded":
        return [Phase(size_px, 0, epochs, (0, epochs), peak, memory=0.99, form="folded")]
    switch, small = int(epochs * 0.65), max(32, int(size_px * 0.75) // 32 * 32)
    plan = [Phase(small, 0, switch, (0, epochs), peak)] if switch else []
    plan.append(Phase(size_px, switch, epochs, (0, epochs), peak))
    if form == "rounded":
        end = epochs + max(1, epochs // 10)
        plan.append(Phase(size_px, epochs, end, (epochs, end), peak / 15, memory=0.99, form="rounded"))
    return plan


def rate(step: int, steps: int, peak: float) -> float:
    """Give the learning rate of a step."""
    rise = min(1.0, (step + 1) / min(100, steps / 10))
    return peak * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def recall(memory: float, steps: int) -> float:
    """Shorten a running mean's memory until a hundredth of where it began, at most, is left after so many steps."""
    return min(memory, math.exp(math.log(0.01) / max(1, steps)))
