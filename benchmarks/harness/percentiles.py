"""Summary statistics of measurements."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TypedDict


class Summary(TypedDict):
    """The median and the range of some runs, and how many there were."""

    median: float
    min: float
    max: float
    runs: int


class Line(TypedDict):
    """A straight line fitted by least squares, with its coefficient of determination R²."""

    slope: float
    intercept: float
    r2: float


def summary(values: Sequence[float]) -> Summary:
    """Summarise at least one measurement."""
    return Summary(
        median=round(statistics.median(values), 3),
        min=round(min(values), 3),
        max=round(max(values), 3),
        runs=len(values),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile: the smallest value that at least `percent` % of the values do not exceed."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def line(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """Fit a straight line to at least two points."""
    slope, intercept = statistics.linear_regression(xs, ys)
    mean = statistics.fmean(ys)
    total = sum((y - mean) ** 2 for y in ys)
    residual = sum((y - slope * x - intercept) ** 2 for x, y in zip(xs, ys, strict=True))
    r2 = 1 - residual / total if total else 1.0
    return Line(slope=round(slope, 4), intercept=round(intercept, 3), r2=round(r2, 4))


def medians(runs: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median of each named list."""
    return {name: round(statistics.median(values), 3) for name, values in runs.items()}


def signed(value: float) -> str:
    """Format a summand with its sign: `+ 1.50` or `- 1.50`."""
    return f"{'-' if value < 0 else '+'} {abs(value):.2f}"
