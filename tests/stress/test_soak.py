from __future__ import annotations

import pytest

from tests.stress import soak
from tests.support.function_process import launched


def test_in_a_storm_of_twenty_seconds_each_photo_gets_its_own_mask_or_is_told_to_come_back() -> None:
    with launched(soak.ENV) as function:
        report = soak.soak(function, 20)
    assert report.outcomes["wrong"] == report.outcomes["lost"] == 0
    assert min(report.outcomes[name] for name in ("right", "refused", "hung up")) > 0
    assert report.back_s is not None
    assert max(report.pss_mb) < 1024  # the instance that deploy.sh asks for


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"pss_mb": [100.0] * 20 + [110.0] * 10}, "memory rose from 100 to 110 MB"),
        ({"threads": [9.0] * 20 + [10.0] * 10}, "threads rose from 9 to 10"),
        ({"back_s": None}, "latency"),
        ({"outcomes": {"wrong": 1}}, "1 wrong"),
        ({"outcomes": {"lost": 2}}, "2 lost"),
    ],
)
def test_what_must_not_be_is_reported(change, fault) -> None:
    good = {"pss_mb": [100.0] * 30, "threads": [9.0] * 30, "back_s": 1.0, "before_ms": 9.0}
    assert soak.Report(**good).faults() == []
    values = {**good, **change}
    values["outcomes"] = soak.Counter(values.get("outcomes", {}))
    (found,) = soak.Report(**values).faults()
    assert fault in found
