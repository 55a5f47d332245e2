"""The performance targets, and whether the results meet them."""

from __future__ import annotations

from collections.abc import Callable
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
    return [
        *latency_targets(results.get("latency")),
        *load_targets(results.get("load")),
        *cold_targets(results.get("cold")),
        *scale_targets(results.get("scale")),
    ]


def cold_targets(cold: Result | None) -> list[Target]:
    """Compare the cold start and the deployed sizes with their targets."""
    servers = cold["servers"] if cold else {}

    def relative_to(name: str) -> float | None:
        return _ratio(servers, name, lambda server: server["cold_ms"]["median"])

    return [
        Target('cold start to first mask, relative to "ok"', relative_to("ok"), 1.75),
        Target("cold start, relative to the naive function with the same int8 model", relative_to("naive-int8"), 1),
        Target("cold start, relative to Flask + TensorFlow", relative_to("flask_tensorflow"), 1 / 6),
        Target("cold start, relative to LitServe with the same int8 model", relative_to("litserve-int8"), 1 / 2.5),
        Target("PSS after the first mask", servers["ours"]["pss_mb"]["median"] if cold else None, 95, "MB"),
        Target("deployed source, zipped", cold["source_zipped_mb"] if cold else None, 10, "MB"),
        Target("installed packages", servers["ours"]["installed_mb"] if cold else None, 165, "MB"),
    ]


def latency_targets(latency: Result | None) -> list[Target]:
    """Compare the latency of single photos with its targets."""
    photos = latency["photos"] if latency else []
    small = next((photo for photo in photos if photo["name"] == SMALL_PHOTO), None)
    large = next(
        (photo for photo in photos if photo["megapixels"] >= LARGE_MEGAPIXELS - 0.1 and photo["name"].endswith("jpg")),
        None,
    )
    overhead_ms = _ms(small["servers"]["ours"]) - small["floor_ms"]["infer"] if small else None
    to_minimum = _ms(large["servers"]["ours"]) / sum(large["floor_ms"].values()) if large else None
    to_naive = _ratio(large["servers"], "naive-int8", _ms) if large else None
    return [
        Target("600 x 400 JPEG, one at a time, beyond the bare invoke", overhead_ms, 5, "ms"),
        Target("12-megapixel JPEG, relative to its minimum in one process", to_minimum, 1.07),
        Target("12-megapixel JPEG, relative to the naive function with the same int8 model", to_naive, 0.30),
    ]


def load_targets(load: Result | None) -> list[Target]:
    """Compare throughput, latency and memory under load with their targets."""
    levels = load["servers"]["ours"]["levels"] if load else {}
    one, eight, most = (levels.get(name) for name in ("1", "8", "64"))
    at_eight = {name: server["levels"]["8"] for name, server in load["servers"].items()} if load else {}
    steady = load["steady"] if load and load["steady"]["requests"] == STEADY_REQUESTS else None
    peak_mb = steady["pss_mb"]["max"] if steady else None
    growth_percent = steady["growth"] * 100 if steady else None
    failed = float(steady["failed"]) if steady else None

    def relative(level: Result | None, base: Result | None) -> float | None:
        return _throughput(level) / _throughput(base) if level and base else None

    def failures(level: Result | None) -> float | None:
        return float(level["incorrect"] + sum(level["errors"].values())) if level else None

    peers = [
        target
        for variant, gain in (("float16", 1.4), ("int8", 1.1))
        for target in (
            Target(
                f"8 in flight: masks per second, relative to LitServe with {variant}",
                _ratio(at_eight, f"litserve-{variant}", _throughput),
                gain,
                at_least=True,
            ),
            Target(
                f"8 in flight: p99, relative to LitServe with {variant}",
                _ratio(at_eight, f"litserve-{variant}", lambda level: level["p99_ms"]),
                1,
            ),
        )
    ]
    return [
        *peers,
        Target("8 in flight: p99, relative to p50", eight["p99_ms"] / eight["p50_ms"] if eight else None, 1.5),
        Target("8 in flight: throughput, relative to 1", relative(eight, one), 1.8, at_least=True),
        Target("8 in flight: errors and wrong masks", failures(eight), 0, "in total"),
        Target("64 in flight: throughput, relative to 8", relative(most, eight), 0.9, at_least=True),
        Target("64 in flight: errors other than 503, and wrong masks", failures(most), 0, "in total"),
        Target("1000 photos of 12 megapixels, 8 in flight: peak PSS", peak_mb, 150, "MB"),
        Target("1000 photos of 12 megapixels: growth of the idle PSS since 200 photos", growth_percent, 2, "%"),
        Target("1000 photos of 12 megapixels: errors and wrong masks", failed, 0, "in total"),
    ]


def scale_targets(scale: Result | None) -> list[Target]:
    """Compare the simulated cost of a million photos with that of the float16 model."""
    cheaper = scale["float16"]["usd"]["instances"] if scale and "float16" in scale else None
    ours = scale["patterns"]["backfill"]["10"]["usd"]["instances"] if scale else None
    ratio = ours / cheaper if ours is not None and cheaper else None
    return [Target("a million photos, simulated: cost of the instances, relative to float16", ratio, 2 / 3)]


def _ratio(servers: Result, name: str, figure: Callable[[Result], float]) -> float | None:
    """Return a figure of our server relative to that of another; None if the other was not measured."""
    return figure(servers["ours"]) / figure(servers[name]) if name in servers else None


def _ms(server: Result) -> float:
    """Return the median latency of a server for a photo."""
    return float(server["ms"]["median"])


def _throughput(level: Result) -> float:
    """Return the median number of masks per second of a server."""
    return float(level["throughput"]["median"])
