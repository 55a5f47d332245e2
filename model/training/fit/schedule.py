"""The plan of a training run: its phases, and the learning rate and weight averaging within each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

# How a phase's network is built: with batch normalization; with it folded into the convolutions, as in the converted
# model; or folded and with the rounding of int8 simulated.
Form = Literal["batch_norm", "folded", "fake_quantized"]

INITIAL_SHARE = 0.01  # of the first weights, at most, in the average that a phase ends with


@dataclass(frozen=True)
class Phase:
    """Consecutive epochs with one form of the network and one rise and decay of the learning rate.

    Attributes:
        size_px: Side of the square input.
        first_epoch: The first epoch, counted from 0 over the whole run.
        end_epoch: The epoch after the last.
        peak_rate: The highest learning rate; the rate rises and decays once over the phase.
        encoder_rate: Factor of the learning rate for the encoder's weights.
        ema_momentum: Momentum of the exponential moving average of the weights, per step.
        form: The form of the network in training.
    """

    size_px: int
    first_epoch: int
    end_epoch: int
    peak_rate: float
    encoder_rate: float
    ema_momentum: float = 0.998
    form: Form = "batch_norm"

    @property
    def model_file(self) -> str:
        """Name of the file in which the phase's model is saved."""
        return "model-aware.h5" if self.form == "fake_quantized" else "model.h5"


def phases(size_px: int, epochs: int, peak_rate: float, form: Form, encoder_rate: float) -> list[Phase]:
    """Return the phases of a run: all epochs in one, and with "fake_quantized" a short one after it.

    Args:
        size_px: Side of the square input, a multiple of 32.
        epochs: Number of epochs of the first phase.
        peak_rate: The highest learning rate.
        form: The form at the end of the run. "fake_quantized" adds a phase of a tenth as many epochs.
        encoder_rate: Factor of the learning rate for the encoder's weights.

    Returns:
        The phases in order.
    """
    if form == "folded":
        return [Phase(size_px, 0, epochs, peak_rate, encoder_rate, ema_momentum=0.99, form="folded")]
    plan = [Phase(size_px, 0, epochs, peak_rate, encoder_rate)]
    if form == "fake_quantized":
        end = epochs + max(1, epochs // 10)
        plan.append(Phase(size_px, epochs, end, peak_rate / 15, encoder_rate, ema_momentum=0.99, form="fake_quantized"))
    return plan


def ema_momentum(momentum: float, steps: int) -> float:
    """Lower the momentum of a weight average so that at most INITIAL_SHARE of the first weights is left at the end.

    Args:
        momentum: The planned momentum.
        steps: The steps over which the weights are averaged.

    Returns:
        The momentum to use; the planned one if there are enough steps.
    """
    return min(momentum, math.exp(math.log(INITIAL_SHARE) / max(1, steps)))
