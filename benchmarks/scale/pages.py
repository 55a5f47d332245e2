"""The plan's results as a table and as a picture."""

from __future__ import annotations

import math
from typing import Any, cast

from benchmarks.report.charts import WIDTH, legend
from benchmarks.report.drawing import OTHERS, OURS, Drawing
from benchmarks.report.panel import Panel, round_up
from benchmarks.report.tables import number, table

TITLES = {"backfill": "backfill by the client", "burst": "uploaded within an hour", "day": "over one day"}
COLOURS = {"backfill": OURS, "burst": OTHERS[1], "day": OTHERS[0]}
PANELS = (
    ("hours until the last mask", "hours", True),
    ("most instances at once", "most_instances", True),
    ("US dollars, all in all", "usd.total", False),
)
TOLD = (1, 10, 30, 100, 1000)
HEAD = (
    "photos come",
    "max-instances",
    "used",
    "hours",
    "instance-hours paid",
    "99 % have waited at most",
    "instances, USD",
    "all, USD",
    "less free share, USD",
    "without a mask",
)


def text(result: dict[str, Any]) -> str:
    """Write what all photos take under a few limits."""
    rows = []
    for pattern, cells in result["patterns"].items():
        for limit in [str(limit) for limit in result["limits"] if limit in TOLD]:
            one = cells[limit]
            rows.append(
                [
                    TITLES[pattern],
                    limit,
                    str(one["most_instances"]),
                    number(one["hours"]),
                    number(one["busy_hours"]),
                    duration(one["wait_s"]["p99"]),
                    f"{one['usd']['instances']:.2f}",
                    f"{one['usd']['total']:.2f}",
                    f"{one['usd_after_free_share']:.2f}",
                    f"{one['without_mask']:,}",
                ]
            )
    return f"{result['photos']:,} photos, simulated:\n\n{table(HEAD, rows)}"


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.1f} s"


def picture(result: dict[str, Any]) -> str:
    """Draw time, instances and cost against --max-instances."""
    drawing = Drawing(WIDTH, 300, f"{result['photos']:,} photos against --max-instances, simulated")
    limits = result["limits"]
    ticks = [limit for limit in limits if str(limit)[0] == "1"]
    for place, (title, path, decades) in enumerate(PANELS):
        values = {
            name: [value_at(cells[str(limit)], path) for limit in limits] for name, cells in result["patterns"].items()
        }
        every = [value for row in values.values() for value in row]
        least = power_of_ten_below(min(every)) if decades else 0.0
        most = power_of_ten_above(max(every)) if decades else round_up(max(every))
        panel = Panel(drawing, 50 + 270 * place, 72, 210, 170, limits[0], limits[-1], most, True, least)
        panel.frame(title, "--max-instances", ticks)
        for name, row in values.items():
            panel.curve(limits, row, COLOURS[name])
    legend(drawing, 16, 24, [(TITLES[name], COLOURS[name]) for name in result["patterns"]])
    return drawing.svg()


def value_at(found: dict[str, Any], path: str) -> float:
    """Look up a figure by its path."""
    for name in path.split("."):
        found = found[name]
    return float(cast(float, found))


def power_of_ten_below(value: float) -> float:
    """Give the greatest power of ten that is not above a value."""
    return 10.0 ** math.floor(math.log10(value))


def power_of_ten_above(value: float) -> float:
    """Give the least power of ten that is not below a value."""
    return 10.0 ** math.ceil(math.log10(value))
