"""Charts of benchmark results, as reproducible SVG files: `python -m benchmarks.report.charts FOLDER`.

Only this module needs matplotlib; `benchmarks.report.publish` runs it in an environment that has it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from benchmarks.harness.percentiles import signed
from benchmarks.report.tables import SCALE_PATTERNS

Result = dict[str, Any]

WIDTH_IN = 11.0
# The palette of Okabe and Ito (2008), which colour-blind readers can distinguish: https://jfly.uni-koeln.de/color/
ORANGE, SKY, GREEN, BLUE, RED, PURPLE, GREY = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#8A8A8A",
)
SERVER_COLOURS = {
    "ours": RED,
    "ours-float16": ORANGE,
    "flask_tensorflow": PURPLE,
    "litserve-float16": BLUE,
    "litserve-int8": SKY,
    "naive-float16": "#00543D",
    "naive-int8": GREEN,
    "ok": GREY,
}
STAGE_COLOURS = {"decode": SKY, "wait": PURPLE, "infer": BLUE, "mask": RED, "encode": GREEN, "http": ORANGE}
PATTERN_STYLES = {  # a marker of its own, because the lines coincide at low limits
    "backfill": (RED, "o"),
    "burst": (BLUE, "s"),
    "day": (GREEN, "^"),
}
STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "silhouette",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Helvetica", "Arial"],
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E2E2E2",
    "lines.linewidth": 2,
    "lines.markersize": 5,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def cold(result: Result) -> Figure:
    """Draw the time to the first mask and the memory after it, one bar for each server."""
    servers = result["servers"]
    figure = Figure(figsize=(WIDTH_IN, 0.9 + 0.45 * len(servers)))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key, title, unit in (
        (panels[0], "cold_ms", "Process start to first mask", "ms (median; line: minimum to maximum)"),
        (panels[1], "pss_mb", "Memory after the first mask", "MB, PSS"),
    ):
        for row, (name, server) in enumerate(servers.items()):
            value = server[key]
            error = [[value["median"] - value["min"]], [value["max"] - value["median"]]]
            axes.barh(row, value["median"], 0.65, color=SERVER_COLOURS[name], xerr=error, ecolor="#333333")
            axes.annotate(
                f"{value['median']:,.0f}", (value["max"], row), (6, 0), textcoords="offset points", va="center"
            )
        axes.set_title(title)
        axes.set_xlabel(unit)
        axes.margins(x=0.12)
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    panels[0].set_yticks(range(len(servers)), [server["title"] for server in servers.values()])
    panels[0].invert_yaxis()
    return figure


def latency(result: Result) -> Figure:
    """Draw two stacked bars for each photo: our stages, and the minimum that they can take."""
    photos = result["photos"]
    figure = Figure(figsize=(WIDTH_IN, 1.2 + 0.85 * len(photos)))
    axes = figure.subplots()
    ticks: list[tuple[float, str]] = []
    for number, photo in enumerate(photos):
        total = photo["servers"]["ours"]["ms"]["median"]
        for row, name, stages, label in (
            (number - 0.18, "Silhouette", photo["stages_ms"], f"{total:.1f}"),
            (number + 0.18, "minimum", photo["floor_ms"], f"{sum(photo['floor_ms'].values()):.1f}"),
        ):
            left = 0.0
            for stage, colour in STAGE_COLOURS.items():
                width = max(0.0, stages.get(stage, 0.0))
                axes.barh(row, width, 0.32, left, color=colour, label=stage if not ticks else None)
                left += width
            axes.annotate(label, (left, row), (6, 0), textcoords="offset points", va="center")
            ticks.append((row, f"{photo_title(photo)}, {name}"))
    axes.set_yticks([row for row, _ in ticks], [label for _, label in ticks])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("ms")
    axes.set_title("Latency of one photo by stage, and the minimum of these stages")
    axes.legend(loc="upper right", title="stage")
    return figure


def photo_title(photo: Result) -> str:
    """Return the size and the format of a photo, such as `12 MP JPEG`."""
    return f"{photo['megapixels']:g} MP {photo['name'].rpartition('-')[2].replace('jpg', 'jpeg').upper()}"


def load(result: Result) -> Figure:
    """Draw throughput and latency against the requests in flight, and memory over a thousand photos."""
    figure = Figure(figsize=(WIDTH_IN, 3.9))
    throughput, latencies, memory = figure.subplots(1, 3)
    for name, server in result["servers"].items():
        if name == "ok":
            continue
        levels, colour = [int(level) for level in server["levels"]], SERVER_COLOURS[name]
        values = list(server["levels"].values())
        low, high, median = ([value["throughput"][side] for value in values] for side in ("min", "max", "median"))
        throughput.fill_between(levels, low, high, color=colour, alpha=0.2, linewidth=0)
        throughput.plot(levels, median, "o-", color=colour, label=server["title"])
        for key, line_style in (("p99_ms", "o-"), ("p50_ms", "o--")):
            latencies.plot(levels, [value[key] for value in values], line_style, color=colour)
    for axes in (throughput, latencies):
        log_axis(
            axes.set_xscale, axes.xaxis, FixedLocator([int(level) for level in result["servers"]["ours"]["levels"]])
        )
        axes.set_xlabel("requests in flight")
    throughput.set_title("Throughput")
    throughput.set_ylabel("masks per second")
    throughput.set_ylim(0)
    throughput.legend(loc="lower right")
    log_axis(latencies.set_yscale, latencies.yaxis, LogLocator(subs=(1, 2, 5)))
    latencies.set_title("Latency")
    latencies.set_ylabel("ms")
    for label, line_style in (("p99", "-"), ("p50", "--")):
        latencies.plot([], [], line_style, color=GREY, label=label)
    latencies.legend(loc="upper left")
    steady = result["steady"]
    memory.plot(*zip(*steady["curve"], strict=True), color=SERVER_COLOURS["ours"])
    memory.set_title("Memory, 8 requests in flight")
    memory.set_xlabel("photos of 12 megapixels processed")
    memory.set_ylabel("MB, PSS")
    memory.set_ylim(0)
    return figure


def growth(result: Result) -> Figure:
    """Draw time and peak memory against megapixels and against classes, each with its fitted line."""
    figure = Figure(figsize=(WIDTH_IN, 6.2))
    rows = figure.subplots(2, 2, sharex="col")
    for row, (key, ylabel, colour) in enumerate(
        (("ms", "time per photo, ms", RED), ("peak_mb", "peak memory, MB", BLUE))
    ):
        for column, name in enumerate(("megapixels", "classes")):
            axes, curve = rows[row][column], result[name]
            line = curve[f"{key}_line"]
            ends = [curve["x"][0], curve["x"][-1]]
            label = f"{line['intercept']:.1f} {signed(line['slope'])} x, R² = {line['r2']:.3f}"
            axes.plot(ends, [line["intercept"] + line["slope"] * x for x in ends], "--", color=GREY, label=label)
            axes.plot(curve["x"], [value["median"] for value in curve[key]], "o", color=colour, label="median")
            axes.set_ylim(0)
            axes.set_xlim(0)
            axes.set_ylabel(ylabel)
            axes.legend(loc="upper left")
            if row:
                axes.set_xlabel(name)
    rows[0][0].set_title("By size of the photo")
    rows[0][1].set_title("By number of classes")
    return figure


def scale(result: Result) -> Figure:
    """Draw time, instances and cost against `--max-instances`."""
    limits = result["limits"]
    figure = Figure(figsize=(WIDTH_IN, 3.9))
    panels = figure.subplots(1, 3)
    for axes, title, key in (
        (panels[0], "Hours until the last mask", "hours"),
        (panels[1], "Instances at the peak", "peak_instances"),
        (panels[2], "Cost, US dollars", "usd"),
    ):
        for name, cells in result["patterns"].items():
            colour, marker = PATTERN_STYLES[name]
            values = [cells[str(limit)][key] for limit in limits]
            values = [value["total"] for value in values] if key == "usd" else values
            axes.plot(limits, values, marker + "-", color=colour, label=SCALE_PATTERNS[name])
        axes.set_title(title)
        axes.set_xlabel("--max-instances")
        log_axis(axes.set_xscale, axes.xaxis, LogLocator())
    for axes in panels[:2]:
        log_axis(axes.set_yscale, axes.yaxis, LogLocator(subs=(1, 2, 5)))
    panels[2].set_ylim(0)
    figure.suptitle(f"{result['photos']:,} photos, simulated", x=0.01, ha="left", fontsize=11)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def log_axis(set_scale: Callable[..., None], axis: Any, locator: FixedLocator | LogLocator) -> None:
    """Make an axis logarithmic, with plain numbers as tick labels.

    Args:
        set_scale: Method `set_xscale` or `set_yscale` of the axes.
        axis: The `xaxis` or `yaxis` of the axes.
        locator: Positions of the ticks.
    """
    set_scale("log")
    axis.set_major_locator(locator)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


CHARTS: dict[str, tuple[Callable[[Result], Figure], str]] = {
    "cold": (cold, "Cold start and memory of each server"),
    "latency": (latency, "Latency of one photo by stage"),
    "load": (load, "Throughput, latency and memory under load"),
    "growth": (growth, "Time and memory by megapixels and by classes"),
    "scale": (scale, "Time, instances and cost of many photos, by --max-instances"),
}


def main(folder: Path, extension: str = "svg") -> None:
    """Draw the charts of all results in a folder."""
    matplotlib.rcParams.update(STYLE)
    for name, (chart, title) in CHARTS.items():
        file = folder / f"{name}.json"
        if file.is_file():
            figure = chart(json.loads(file.read_text()))
            metadata = {"Date": None, "Title": title} if extension == "svg" else {}
            figure.savefig(file.with_suffix(f".{extension}"), metadata=metadata)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
