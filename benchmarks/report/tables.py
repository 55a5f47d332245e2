"""Tables and pictures of the results there are: `python -m benchmarks.report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import options as command_line
from benchmarks.harness import results
from benchmarks.harness.percentiles import Summary, signed
from benchmarks.harness.servers import ALL
from benchmarks.report import charts, targets


def publish(folder: Path) -> None:
    """Draw every picture, write every table, and print the tables."""
    found = results.load(folder)
    for name, result in found.items():
        (folder / f"{name}.svg").write_text(charts.DRAW[name](result))
    text = "\n".join(TABLES[name](result) for name, result in found.items())
    text += "\nAgainst the targets:\n\n" + table(
        ("figure", "measured", "target", "reached"), [one.row() for one in targets.compare(found)]
    )
    (folder / "table.md").write_text(text)
    print(text)
    for name, result in found.items():
        if result["quick"]:
            print(f"{name}: a quick run; its figures mean nothing")
        if result["machine"]["busy_before"] > results.QUIET:
            print(f"{name}: others used {result['machine']['busy_before']:.0%} of the machine before it began")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def spread(one: Summary, unit: str = "") -> str:
    """Write a median and, in brackets, its least and greatest."""
    return f"{number(one['median'])}{unit} ({number(one['least'])} to {number(one['greatest'])})"


def number(value: float) -> str:
    """Write a number with no more digits than it deserves."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"


def cold_table(cold: dict[str, Any]) -> str:
    """Tell of every contestant's start; of an absent one, why."""
    rows = [
        [
            one["title"],
            spread(one["cold_ms"]),
            number(one["warm_ms"]["median"]),
            number(one["pss_mb"]["median"]),
            f"{one['answer_bytes']:,}",
            "-" if one["installed_mb"] is None else number(one["installed_mb"]),
        ]
        for one in cold["contestants"].values()
    ]
    rows += [[ALL[name].title, f"absent: {why}", "", "", "", ""] for name, why in cold["absent"].items()]
    photo = cold["photo"]
    about = f"A {photo['width']} x {photo['height']} JPEG; median (least to greatest).\n\n"
    head = ("server", "start to first mask, ms", "warm, ms", "PSS, MB", "answer, bytes", "installed, MB")
    steps = [[name, spread(ms)] for name, ms in cold["steps"].items()]
    return about + table(head, rows) + "\nA start of Silhouette, taken apart:\n\n" + table(("step", "ms"), steps)


def latency_table(latency: dict[str, Any]) -> str:
    """Tell of every photo: the floor, and each contestant."""
    names = [name for name in ALL if name in latency["photos"][0]["contestants"]]
    head = ("photo", "floor, ms", *(f"{latency['photos'][0]['contestants'][name]['title']}, ms" for name in names))
    rows = []
    for photo in latency["photos"]:
        floor = number(sum(photo["floor_ms"].values())) + ("" if photo["floor_same_mask"] else ", other mask")
        label = f"{photo['megapixels']:g} megapixels, {photo['name'].rpartition('-')[2].replace('jpg', 'jpeg').upper()}"
        rows.append([label, floor, *(spread(photo["contestants"][name]["ms"]) for name in names)])
    return absences(latency) + table(head, rows)


def load_table(load: dict[str, Any]) -> str:
    """Tell of every level: what came through, how fast, and what went wrong."""
    rows = []
    for one in load["contestants"].values():
        for level, found in one["levels"].items():
            mishaps = f"{found['busy']} / {sum(found['errors'].values())} / {found['wrong']}"
            times = [number(found[name]) for name in ("p50_ms", "p95_ms", "p99_ms")]
            memory = number(found["pss_mb"]["greatest"])
            rows.append([one["title"], level, spread(found["throughput"]), *times, mishaps, memory])
    head = ("server", "in flight", "masks a second", "p50, ms", "p95, ms", "p99, ms", "503 / errors / wrong", "PSS, MB")
    ok = load["contestants"].get("ok", {"levels": {}})["levels"].get("8")
    own = f"\nThe load generator itself takes {ok['generator_cpu_ms']} ms of CPU a request.\n" if ok else ""
    steady = load["steady"]
    kept = ", ".join(f"{number(mb)} MB after {count}" for count, mb in steady["kept_mb"].items())
    most = number(steady["pss_mb"]["greatest"])
    line = f"\n{steady['requests']} photos of 12 megapixels, 8 in flight: at most {most} MB; it keeps {kept}.\n"
    return absences(load) + table(head, rows) + own + line


def growth_table(growth: dict[str, Any]) -> str:
    """Tell of both fits."""
    rows = []
    for name, unit in (("megapixels", "megapixel"), ("classes", "class")):
        for key, measure in (("ms_line", "ms"), ("peak_mb_line", "MB")):
            line = growth[name][key]
            text = f"{line['intercept']:.1f} {signed(line['slope'])} for each {unit}"
            rows.append(["time" if measure == "ms" else "peak memory", f"{text}, {measure}", f"{line['r2']:.3f}"])
    return "\n" + table(("what grows", "fit", "R²"), rows)


def absences(result: dict[str, Any]) -> str:
    """Name who is absent, and why."""
    return "\n" + "".join(f"{ALL[name].title} is absent: {why}\n\n" for name, why in result["absent"].items())


TABLES = {"cold": cold_table, "latency": latency_table, "load": load_table, "growth": growth_table}


if __name__ == "__main__":
    publish(command_line.parse("report").results)
