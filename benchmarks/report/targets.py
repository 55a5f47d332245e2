"""What was to be reached, and whether it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Results = dict[str, dict[str, Any]]
SMALL, TWELVE, STEADY = "600x400-jpg", 12.0, 1000


@dataclass(frozen=True)
class Target:
    """A figure against its target: at most, or at least where so said."""

    figure: str
    measured: float | None
    target: float
    unit: str = "x"
    at_least: bool = False

    @property
    def reached(self) -> bool | None:
        """Tell whether it is; None where it was not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.target if self.at_least else self.measured <= self.target

    def row(self) -> list[str]:
        """Write it for a table."""
        measured = "not measured" if self.measured is None else f"{self.measured:.3g} {self.unit}"
        word = {True: "yes", False: "**no**", None: "-"}[self.reached]
        return [
            self.figure,
            measured,
            f"{'at least' if self.at_least else 'at most'} {self.target:.3g} {self.unit}",
            word,
        ]


def compare(results: Results) -> list[Target]:
    """Hold all results against their targets."""
    return (
        cold_targets(results.get("cold")) + latency_targets(results.get("latency")) + load_targets(results.get("load"))
    )


def cold_targets(cold: dict[str, Any] | None) -> list[Target]:
    """Hold the start, and what is deployed, against its targets."""
    medians = {name: one["cold_ms"]["median"] for name, one in cold["contestants"].items()} if cold else {}
    installed = cold["contestants"]["ours"]["installed_mb"] if cold else None

    def against(name: str) -> float | None:
        return medians["ours"] / medians[name] if name in medians else None

    return [
        Target('cold start to first mask, against "ok"', against("ok"), 1.45),
        Target("cold start, against the older recipe", against("older"), 1 / 6),
        Target("cold start, against LitServe", against("litserve"), 1 / 2.5),
        Target("deployed source, zipped", cold["source_zipped_mb"] if cold else None, 8, "MB"),
        Target("installed packages", installed, 165, "MB"),
    ]


def latency_targets(latency: dict[str, Any] | None) -> list[Target]:
    """Hold one photo at a time against its targets."""
    photos = latency["photos"] if latency else []
    small = next((one for one in photos if one["name"] == SMALL), None)
    large = next((one for one in photos if one["megapixels"] >= TWELVE - 0.1 and one["name"].endswith("jpg")), None)
    return [
        Target(
            "600 x 400 JPEG, beyond the bare invoke",
            _ms(small, "ours") - small["floor_ms"]["infer"] if small else None,
            4,
            "ms",
        ),
        Target(
            "12-megapixel JPEG, against its floor",
            _ms(large, "ours") / sum(large["floor_ms"].values()) if large else None,
            1.15,
        ),
        Target(
            "12-megapixel JPEG, against the naive function",
            _ms(large, "ours") / _ms(large, "naive") if large and "naive" in large["contestants"] else None,
            0.30,
        ),
    ]


def load_targets(load: dict[str, Any] | None) -> list[Target]:
    """Hold many photos at once against their targets."""
    levels = load["contestants"]["ours"]["levels"] if load else {}
    one, eight, most = (levels.get(name) for name in ("1", "8", "64"))
    steady = load["steady"] if load and load["steady"]["requests"] == STEADY else None

    def ratio(above: dict[str, Any] | None, below: dict[str, Any] | None) -> float | None:
        return above["throughput"]["median"] / below["throughput"]["median"] if above and below else None

    def mishaps(level: dict[str, Any] | None) -> float | None:
        return float(level["wrong"] + sum(level["errors"].values())) if level else None

    return [
        Target("8 in flight: throughput, against one at a time", ratio(eight, one), 1.8, at_least=True),
        Target("8 in flight: p99, against p50", eight["p99_ms"] / eight["p50_ms"] if eight else None, 2.5),
        Target("8 in flight: errors and wrong masks", mishaps(eight), 0, "of all"),
        Target("64 in flight: throughput, against 8", ratio(most, eight), 0.9, at_least=True),
        Target("64 in flight: errors but 503, and wrong masks", mishaps(most), 0, "of all"),
        Target(
            "1000 photos of 12 megapixels: PSS at its highest",
            steady["pss_mb"]["greatest"] if steady else None,
            220,
            "MB",
        ),
        Target(
            "the same: PSS kept after 1000, beyond that after 200", steady["growth"] * 100 if steady else None, 2, "%"
        ),
        Target("the same: errors and wrong masks", float(steady["not_right"]) if steady else None, 0, "of all"),
    ]


def _ms(photo: dict[str, Any], name: str) -> float:
    return float(photo["contestants"][name]["ms"]["median"])
