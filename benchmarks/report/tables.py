"""Benchmark results as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.harness.percentiles import Summary, signed
from benchmarks.harness.servers import SERVERS
from benchmarks.report import targets

Result = dict[str, Any]

SCALE_PATTERNS = {
    "backfill": "backfill by the client",
    "burst": "uploads within one hour",
    "day": "uploads over one day",
}
SCALE_LIMITS = (1, 10, 30, 100, 1000)
SCALE_HEAD = (
    "arrivals",
    "max-instances",
    "peak instances",
    "hours",
    "billed instance-hours",
    "p99 of the wait",
    "instances, USD",
    "total, USD",
    "beyond the free tier, USD",
    "without a mask",
)


NOT_COMPARED = (
    "TF Serving is absent: it is published as a container image and a Debian package, not for pip, and it answers with "
    "tensors, so that decoding, resizing and PNG would have to be added to it."
)


def document(results: dict[str, Result]) -> str:
    """Return the tables of all results, by the benchmark's name, followed by the targets."""
    tables = "\n".join(TABLES[name](result) for name, result in results.items())
    return f"{tables}\n{NOT_COMPARED}\n\nTargets:\n\n{targets_table(results)}"


def targets_table(results: dict[str, Result]) -> str:
    """Format the targets, and whether the results meet them."""
    rows = [target.row() for target in targets.compare(results)]
    return table(("figure", "measured", "target", "met"), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def median_and_range(summary: Summary) -> str:
    """Format a median with its range: `24.1 (23.0 to 27.0)`."""
    return f"{number(summary['median'])} ({number(summary['min'])} to {number(summary['max'])})"


def number(value: float) -> str:
    """Format a number: one decimal below 100, none above."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"


def cold_table(cold: Result) -> str:
    """Format the cold start of each server, and the steps of our own start."""
    rows = [
        [
            server["title"],
            median_and_range(server["cold_ms"]),
            number(server["warm_ms"]["median"]),
            number(server["pss_mb"]["median"]),
            f"{server['response_bytes']:,}",
            "-" if server["installed_mb"] is None else number(server["installed_mb"]),
        ]
        for server in cold["servers"].values()
    ]
    rows += [[SERVERS[name].title, f"absent: {reason}", "", "", "", ""] for name, reason in cold["absent"].items()]
    photo = cold["photo"]
    caption = f"A JPEG of {photo['width']} x {photo['height']}; median (minimum to maximum).\n\n"
    head = ("server", "start to first mask, ms", "warm, ms", "PSS, MB", "response, bytes", "installed, MB")
    steps = [[name, median_and_range(ms)] for name, ms in cold["steps"].items()]
    return caption + table(head, rows) + "\nThe steps of a cold start of Silhouette:\n\n" + table(("step", "ms"), steps)


def latency_table(latency: Result) -> str:
    """Format the latency of each photo: the minimum, and each server."""
    servers = latency["photos"][0]["servers"]
    names = [name for name in SERVERS if name in servers]
    head = ("photo", "minimum, ms", *(f"{servers[name]['title']}, ms" for name in names))
    rows = []
    for photo in latency["photos"]:
        floor = number(sum(photo["floor_ms"].values())) + ("" if photo["floor_same_mask"] else ", other mask")
        label = f"{photo['megapixels']:g} megapixels, {photo['name'].rpartition('-')[2].replace('jpg', 'jpeg').upper()}"
        rows.append([label, floor, *(median_and_range(photo["servers"][name]["ms"]) for name in names)])
    return absences(latency) + table(head, rows)


def load_table(load: Result) -> str:
    """Format throughput, latency, failures and memory for each number of requests in flight."""
    rows = []
    for server in load["servers"].values():
        for level, value in server["levels"].items():
            failures = f"{value['rejected']} / {sum(value['errors'].values())} / {value['incorrect']}"
            times = [number(value[name]) for name in ("p50_ms", "p95_ms", "p99_ms")]
            memory = number(value["pss_mb"]["max"])
            rows.append([server["title"], level, median_and_range(value["throughput"]), *times, failures, memory])
    head = (
        "server",
        "in flight",
        "masks per second",
        "p50, ms",
        "p95, ms",
        "p99, ms",
        "503 / errors / wrong",
        "PSS, MB",
    )
    ok = load["servers"].get("ok", {"levels": {}})["levels"].get("8")
    generator = f"\nThe load generator takes {ok['generator_cpu_ms']} ms of CPU per request.\n" if ok else ""
    steady = load["steady"]
    idle = ", ".join(f"{number(mb)} MB after {count}" for count, mb in steady["idle_mb"].items())
    peak = number(steady["pss_mb"]["max"])
    memory = f"\n{steady['requests']} photos of 12 megapixels, 8 in flight: at most {peak} MB; when idle {idle}.\n"
    return absences(load) + table(head, rows) + generator + memory


def growth_table(growth: Result) -> str:
    """Format the lines fitted to time and memory."""
    rows = []
    for name, unit in (("megapixels", "megapixel"), ("classes", "class")):
        for key, quantity, measure in (("ms_line", "time", "ms"), ("peak_mb_line", "peak memory", "MB")):
            line = growth[name][key]
            text = f"{line['intercept']:.1f} {signed(line['slope'])} per {unit}, {measure}"
            rows.append([quantity, text, f"{line['r2']:.3f}"])
    return "\n" + table(("quantity", "fit", "R²"), rows)


def absences(result: Result) -> str:
    """Name the absent servers with their reasons."""
    return "\n" + "".join(f"{SERVERS[name].title} is absent: {reason}\n\n" for name, reason in result["absent"].items())


def scale_table(scale: Result) -> str:
    """Format the simulated figures of each arrival pattern at a few limits."""
    rows = []
    for pattern, cells in scale["patterns"].items():
        for limit in [limit for limit in scale["limits"] if limit in SCALE_LIMITS]:
            cell = cells[str(limit)]
            rows.append(
                [
                    SCALE_PATTERNS[pattern],
                    str(limit),
                    str(cell["peak_instances"]),
                    number(cell["hours"]),
                    number(cell["billed_hours"]),
                    duration(cell["wait_s"]["p99"]),
                    f"{cell['usd']['instances']:.2f}",
                    f"{cell['usd']['total']:.2f}",
                    f"{cell['usd_beyond_free_tier']:.2f}",
                    f"{cell['without_mask']:,}",
                ]
            )
    prices = f", at prices of {scale['prices_of']}" if "prices_of" in scale else ""
    text = f"\n{scale['photos']:,} photos, simulated{prices}:\n\n{table(SCALE_HEAD, rows)}"
    if "float16" in scale:
        usd = scale["float16"]["usd"]
        text += (
            f"\nWith the float16 model, the backfill with 10 instances costs {usd['instances']:.2f} US dollars for the "
            f"instances and {usd['total']:.2f} in total.\n"
        )
    return text


def duration(seconds: float) -> str:
    """Format a time in seconds, minutes or hours."""
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.1f} s"


TABLES = {
    "cold": cold_table,
    "latency": latency_table,
    "load": load_table,
    "growth": growth_table,
    "scale": scale_table,
}
