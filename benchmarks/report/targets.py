"""The performance targets, and whether the results meet them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Result = dict[str, Any]
SMALL_PHOTO, LARGE_MEGAPIXELS, STEADY_REQUESTS = "600x400-jpg", 12.0, 1000


@dataclass(frozen=True)
class Target:
    """A figure and its target.

    Attributes:
        figure: What is measured.
        measured: The value, or None if it was not measured.
        target: The largest value that meets the target, or the smallest if `at_least`.
        unit: Unit of both values.
        at_least: Whether the target is a minimum.
    """

    figure: str
    measured: float | None
    target: float
    unit: str = "x"
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None if it was not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.target if self.at_least else self.measured <= self.target

    def row(self) -> list[str]:
        """Return the cells of a table row: figure, measured, target, met."""
        return [
            self.figure,
            "not measured" if self.measured is None else f"{self.measured:.3g} {self.unit}",
            f"{'at least' if self.at_least else 'at most'} {self.target:.3g} {self.unit}",
            {True: "yes", False: "**no**", None: "-"}[self.met],
        ]


def compare(results: dict[str, Result]) -> list[Target]:
    """Compare results, by the benchmark's name, with all targets."""
    return (
        cold_targets(results.get("cold")) + latency_targets(results.get("latency")) + load_targets(results.get("load"))
    )


def cold_targets(cold: Result | None) -> list[Target]:
    """Compare the cold start and the deployed sizes with their targets."""
    medians = {name: server["cold_ms"]["median"] for name, server in cold["servers"].items()} if cold else {}
    installed = cold["servers"]["ours"]["installed_mb"] if cold else None

    def relative_to(name: str) -> float | None:
        return medians["ours"] / medians[name] if name in medians else None

    return [
        Target('cold start to first mask, relative to "ok"', relative_to("ok"), 1.45),
        Target("cold start, relative to Flask + TensorFlow", relative_to("flask_tensorflow"), 1 / 6),
        Target("cold start, relative to LitServe", relative_to("litserve"), 1 / 2.5),
        Target("deployed source, zipped", cold["source_zipped_mb"] if cold else None, 8, "MB"),
        Target("installed packages", installed, 165, "MB"),
    ]


def latency_targets(latency: Result | None) -> list[Target]:
    """Compare the latency of single photos with its targets."""
    photos = latency["photos"] if latency else []
    small = next((photo for photo in photos if photo["name"] == SMALL_PHOTO), None)
    large = next(
        (photo for photo in photos if photo["megapixels"] >= LARGE_MEGAPIXELS - 0.1 and photo["name"].endswith("jpg")),
        None,
    )
    overhead_ms = _ms(small, "ours") - small["floor_ms"]["infer"] if small else None
    to_minimum = _ms(large, "ours") / sum(large["floor_ms"].values()) if large else None
    to_naive = _ms(large, "ours") / _ms(large, "naive") if large and "naive" in large["servers"] else None
    return [
        Target("600 x 400 JPEG, in addition to inference", overhead_ms, 4, "ms"),
        Target("12-megapixel JPEG, relative to its minimum", to_minimum, 1.15),
        Target("12-megapixel JPEG, relative to the naive function", to_naive, 0.30),
    ]


def load_targets(load: Result | None) -> list[Target]:
    """Compare throughput, latency and memory under load with their targets."""
    levels = load["servers"]["ours"]["levels"] if load else {}
    one, eight, most = (levels.get(name) for name in ("1", "8", "64"))
    steady = load["steady"] if load and load["steady"]["requests"] == STEADY_REQUESTS else None
    peak_mb = steady["pss_mb"]["max"] if steady else None
    growth_percent = steady["growth"] * 100 if steady else None
    failed = float(steady["failed"]) if steady else None

    def ratio(level: Result | None, base: Result | None) -> float | None:
        return level["throughput"]["median"] / base["throughput"]["median"] if level and base else None

    def failures(level: Result | None) -> float | None:
        return float(level["incorrect"] + sum(level["errors"].values())) if level else None

    return [
        Target("8 in flight: throughput, relative to 1", ratio(eight, one), 1.8, at_least=True),
        Target("8 in flight: p99, relative to p50", eight["p99_ms"] / eight["p50_ms"] if eight else None, 2.5),
        Target("8 in flight: errors and wrong masks", failures(eight), 0, "in total"),
        Target("64 in flight: throughput, relative to 8", ratio(most, eight), 0.9, at_least=True),
        Target("64 in flight: errors other than 503, and wrong masks", failures(most), 0, "in total"),
        Target("1000 photos of 12 megapixels: peak PSS", peak_mb, 220, "MB"),
        Target("1000 photos of 12 megapixels: growth of the idle PSS since 200 photos", growth_percent, 2, "%"),
        Target("1000 photos of 12 megapixels: errors and wrong masks", failed, 0, "in total"),
    ]


def _ms(photo: Result, name: str) -> float:
    """Return the median latency of a server for a photo."""
    return float(photo["servers"][name]["ms"]["median"])
