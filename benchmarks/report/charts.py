"""The pictures of the README, one for each benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.harness.percentiles import signed
from benchmarks.report.drawing import FLOOR, INK, OTHERS, OURS, STAGES, Drawing
from benchmarks.report.panel import Panel, round_up

WIDTH = 820
COLOURS = {"ours": OURS, "ok": FLOOR, "older": INK, "litserve": OTHERS[0], "naive": OTHERS[1]}


def cold(result: dict[str, Any]) -> str:
    """Draw two bars for each contestant: the time to its first mask, and the memory it then holds."""
    contestants = result["contestants"]
    row, top, label, half = 34, 52, 250, 215
    drawing = Drawing(WIDTH, top + row * len(contestants) + 12, "Cold start and memory of each server")
    for title, key, left in (
        ("start to first mask, ms", "cold_ms", label),
        ("memory then, MB (PSS)", "pss_mb", label + 300),
    ):
        drawing.text(left, 24, title, 13, bold=True)
        most = max(one[key]["greatest"] for one in contestants.values())
        for number, (name, one) in enumerate(contestants.items()):
            y = top + row * number
            found = one[key]
            end = left + half * found["median"] / most
            drawing.bar(left, y, end - left, 20, COLOURS[name])
            low, high = (left + half * found[side] / most for side in ("least", "greatest"))
            drawing.line([(low, y + 10), (high, y + 10)], INK, 1.5)
            drawing.text(max(end, high) + 6, y + 15, f"{found['median']:.0f}", 12, fill=COLOURS[name], bold=True)
    for number, (name, one) in enumerate(contestants.items()):
        fill = OURS if name == "ours" else INK
        drawing.text(label - 12, top + row * number + 15, one["title"], 12, "end", fill, name == "ours")
    return drawing.svg()


def latency(result: dict[str, Any]) -> str:
    """Draw two stacked bars for each photo: ours by stage, and the floor."""
    photos = result["photos"]
    row, top, left, room = 58, 70, 175, 520
    drawing = Drawing(WIDTH, top + row * len(photos), "Latency by stage, beside its floor")
    drawing.text(left, 24, "one photo through HTTP, by stage, and the least it can cost, ms", 13, bold=True)
    legend(drawing, left, 46, [(stage, colour) for stage, colour in STAGES.items()])
    most = max(max(sum(one["stages_ms"].values()), sum(one["floor_ms"].values())) for one in photos)
    for number, photo in enumerate(photos):
        y = top + row * number
        kind = photo["name"].rpartition("-")[2].replace("jpg", "jpeg").upper()
        drawing.text(left - 62, y + 26, f"{photo['megapixels']:g} MP {kind}", 12, "end", bold=True)
        for lower, (name, stages) in enumerate((("ours", photo["stages_ms"]), ("floor", photo["floor_ms"]))):
            x, height = float(left), y + 24 * lower
            drawing.text(left - 8, height + 14, name, 12, "end", OURS if name == "ours" else INK)
            for stage in STAGES:
                width = room * max(0.0, stages.get(stage, 0)) / most
                drawing.bar(x, height, width, 19, STAGES[stage])
                x += width
            total = photo["contestants"]["ours"]["ms"]["median"] if name == "ours" else sum(stages.values())
            drawing.text(x + 6, height + 14, f"{total:.1f}", 12, bold=name == "ours")
    return drawing.svg()


def load(result: dict[str, Any]) -> str:
    """Draw throughput and p99 over the requests in flight, and memory over a thousand photos."""
    drawing = Drawing(WIDTH, 300, "Throughput, latency and memory under load")
    shown = {name: one for name, one in result["contestants"].items() if name != "ok"}
    levels = sorted({int(level) for one in shown.values() for level in one["levels"]})
    every = [found for one in shown.values() for found in one["levels"].values()]
    most = round_up(max(found["throughput"]["greatest"] for found in every))
    slowest = round_up(max(found["p99_ms"] for found in every))
    rates = Panel(drawing, 50, 72, 205, 170, levels[0], levels[-1], most, doublings=True)
    times = Panel(drawing, 330, 72, 195, 170, levels[0], levels[-1], slowest, doublings=True)
    rates.frame("masks a second", "requests in flight", levels)
    times.frame("p50 (dashed) and p99, ms", "requests in flight", levels)
    for name, one in shown.items():
        xs = [int(level) for level in one["levels"]]
        found = list(one["levels"].values())
        spread = [[f["throughput"][side] for f in found] for side in ("least", "greatest", "median")]
        rates.band(xs, spread[0], spread[1], COLOURS[name])
        rates.curve(xs, spread[2], COLOURS[name])
        times.curve(xs, [f["p99_ms"] for f in found], COLOURS[name])
        times.curve(xs, [f["p50_ms"] for f in found], COLOURS[name], "4 3", dots=False)
    curve = result["steady"]["curve"]
    memory = Panel(drawing, 600, 72, 195, 170, 0, result["steady"]["requests"], round_up(max(mb for _, mb in curve)))
    memory.frame("PSS, MB, 8 in flight", "photos of 12 megapixels", [0, result["steady"]["requests"]])
    memory.curve([at for at, _ in curve], [mb for _, mb in curve], OURS, dots=False)
    legend(drawing, 16, 24, [(one["title"], COLOURS[name]) for name, one in shown.items()])
    return drawing.svg()


def growth(result: dict[str, Any]) -> str:
    """Draw time and peak memory against megapixels and against classes, each with its fit."""
    drawing = Drawing(WIDTH, 560, "Time and memory against megapixels and classes")
    parts = (("ms", "time, ms", OURS), ("peak_mb", "peak memory, MB (PSS)", OTHERS[1]))
    for across, (name, x_title) in enumerate((("megapixels", "megapixels"), ("classes", "classes"))):
        found = result[name]
        for down, (key, title, colour) in enumerate(parts):
            medians = [one["median"] for one in found[key]]
            panel = Panel(
                drawing, 60 + 415 * across, 50 + 275 * down, 330, 180, 0, found["x"][-1], round_up(max(medians))
            )
            panel.frame(title, x_title, thinned(found["x"]))
            line = found[f"{key}_line"]
            ends = [found["x"][0], found["x"][-1]]
            fitted = [max(0.0, line["intercept"] + line["slope"] * x) for x in ends]
            panel.curve(ends, fitted, INK, "5 4", dots=False)
            for x, y in zip(found["x"], medians, strict=True):
                drawing.dot(*panel.at(x, y), colour)
            words = f"{line['intercept']:.1f} {signed(line['slope'])} x, R² {line['r2']:.3f}"
            drawing.text(panel.left + panel.width, panel.top - 16, words, 11, "end")
    return drawing.svg()


def thinned(xs: Sequence[float]) -> list[float]:
    """Leave out the values whose numbers would touch the next one's."""
    kept = [xs[-1]]
    for x in reversed(xs):
        if kept[-1] - x >= xs[-1] / 12:
            kept.append(x)
    return kept[::-1]


def legend(drawing: Drawing, left: float, y: float, entries: Sequence[tuple[str, str]]) -> None:
    """Name the colours in a row."""
    for words, colour in entries:
        drawing.bar(left, y - 10, 11, 11, colour)
        drawing.text(left + 17, y, words, 12)
        left += 40 + 6.6 * len(words)


DRAW: dict[str, Callable[[dict[str, Any]], str]] = {"cold": cold, "latency": latency, "load": load, "growth": growth}
