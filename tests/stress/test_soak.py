from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.stress import soak
from tests.support.function_process import launched


def test_in_a_soak_of_twenty_seconds_each_photo_gets_its_mask_or_503() -> None:
    with launched(soak.ENV) as function:
        report = soak.soak(function, 20)
    assert report.outcomes["wrong"] == report.outcomes["lost"] == 0
    assert min(report.outcomes[name] for name in ("right", "refused", "hung up")) > 0
    assert report.back_s is not None
    assert max(report.pss_mb) < 1024  # the memory of the instance that deploy.sh creates


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"pss_mb": [100.0] * 20 + [110.0] * 10}, "memory rose from 100 to 110 MB"),
        ({"threads": [9.0] * 20 + [10.0] * 10}, "threads rose from 9 to 10"),
        ({"back_s": None}, "latency"),
        ({"outcomes": Counter({"wrong": 1})}, "1 wrong"),
        ({"outcomes": Counter({"lost": 2})}, "2 lost"),
    ],
)
def test_violations_are_reported(change: dict[str, Any], fault: str) -> None:
    good = soak.Report(pss_mb=[100.0] * 30, threads=[9.0] * 30, back_s=1.0, before_ms=9.0)
    assert good.faults() == []
    (actual,) = replace(good, **change).faults()
    assert fault in actual
