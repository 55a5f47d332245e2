"""Lists of measurements to the few figures that speak for them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TypedDict


class Summary(TypedDict):
    """The median of some runs, the least and the greatest of them, and how many there were."""

    median: float
    least: float
    greatest: float
    runs: int


class Line(TypedDict):
    """A straight line fitted by least squares, and the share of the variance that it explains."""

    slope: float
    intercept: float
    r2: float


def summary(values: Sequence[float]) -> Summary:
    """Summarise runs."""
    return Summary(
        median=round(statistics.median(values), 3),
        least=round(min(values), 3),
        greatest=round(max(values), 3),
        runs=len(values),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the least value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def line(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """Fit a straight line."""
    slope, intercept = statistics.linear_regression(xs, ys)
    mean = statistics.fmean(ys)
    total = sum((y - mean) ** 2 for y in ys)
    rest = sum((y - slope * x - intercept) ** 2 for x, y in zip(xs, ys, strict=True))
    r2 = 1 - rest / total if total else 1.0
    return Line(slope=round(slope, 4), intercept=round(intercept, 3), r2=round(r2, 4))


def medians(runs: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Give the median of each named list."""
    return {name: round(statistics.median(values), 3) for name, values in runs.items()}


def signed(value: float) -> str:
    """Write a number that is added to another: + 1.50 or - 1.50."""
    return f"{'-' if value < 0 else '+'} {abs(value):.2f}"
