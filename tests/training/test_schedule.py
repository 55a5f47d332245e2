from __future__ import annotations

import pytest

from model.training.fit import schedule


@pytest.mark.parametrize("form", ["batch_norm", "folded", "fake_quantized"])
@pytest.mark.parametrize("epochs", [1, 2, 70])
def test_the_phases_of_a_run_follow_on_each_other_and_end_in_the_form_asked_for(form: str, epochs: int) -> None:
    plan = schedule.phases(256, epochs, 1e-3, form)
    assert [phase.first_epoch for phase in plan] == [0, *[phase.end_epoch for phase in plan[:-1]]]
    assert (plan[-1].form, plan[-1].size_px) == (form, 256)


@pytest.mark.parametrize("steps", [1, 30, 500, 5000])
def test_of_where_a_running_mean_began_a_hundredth_at_most_is_left(steps: int) -> None:
    assert schedule.ema_momentum(0.998, steps) ** steps <= 0.01 + 1e-9


def test_a_long_phase_has_the_memory_that_its_plan_gives_it() -> None:
    assert schedule.ema_momentum(0.998, 5000) == 0.998
