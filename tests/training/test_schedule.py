from __future__ import annotations

import pytest

from model.training.fit import schedule
from model.training.fit.schedule import Form


@pytest.mark.parametrize("form", ["batch_norm", "folded", "fake_quantized"])
@pytest.mark.parametrize("epochs", [1, 2, 70])
def test_the_phases_of_a_run_are_contiguous_and_end_with_the_given_form(form: Form, epochs: int) -> None:
    plan = schedule.phases(256, epochs, 1e-3, form, encoder_rate=0.2)
    assert [phase.first_epoch for phase in plan] == [0, *[phase.end_epoch for phase in plan[:-1]]]
    assert (plan[-1].form, plan[-1].size_px) == (form, 256)


@pytest.mark.parametrize("steps", [1, 30, 500, 5000])
def test_at_most_a_hundredth_of_the_first_weights_is_left_in_the_average(steps: int) -> None:
    assert schedule.ema_momentum(0.998, steps) ** steps <= 0.01 + 1e-9


def test_a_long_phase_has_the_planned_momentum() -> None:
    assert schedule.ema_momentum(0.998, 5000) == 0.998
