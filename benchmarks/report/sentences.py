"""The sentences of README.md and docs/benchmarks.md that state results, written from the results."""

from __future__ import annotations

from typing import Any

SMALL, LARGE = "600x400-jpg", "4000x3000-jpg"
Result = dict[str, Any]


def readme(results: dict[str, Result]) -> dict[str, str]:
    """Return the lines of the README about speed, memory and cost, each by the words that it starts with.

    Args:
        results: The committed results, by the benchmark's name.
    """
    cold, photos = results["cold"]["servers"], {photo["name"]: photo for photo in results["latency"]["photos"]}
    variant = "int8" if "litserve-int8" in cold else "float16"  # the same model as ours
    ours, flask, litserve = cold["ours"], cold["flask_tensorflow"], cold[f"litserve-{variant}"]
    small, large = photos[SMALL]["servers"], photos[LARGE]["servers"]
    usd = results["scale"]["patterns"]["backfill"]["10"]["usd"]["total"]
    return {
        "- **Starts in ": f"{_seconds(ours, 2)} s**, where the original Flask and TensorFlow recipe takes "
        f"{_seconds(flask, 1)} s and LitServe {_seconds(litserve, 1)} s with the same model.",
        "- **Needs ": f"{ours['pss_mb']['median']:.0f} MB of memory** and {ours['installed_mb']:.0f} MB of packages, "
        f"where that recipe needs {flask['pss_mb']['median']:.0f} MB and {flask['installed_mb']:.0f} MB.",
        "- **Answers in ": f"{_ms(small['ours'])} ms** for a 600 x 400 photo, and in {_ms(large['ours'])} ms for "
        "12 megapixels, where the usual decode-everything function takes "
        f"{_ms(large[f'naive-{variant}'])} ms.",
        "- **Costs about ": f"{usd:.0f} US dollars for a million photos** from one bucket to another, and nothing "
        "while nobody calls it.",
    }


def benchmarks_page(results: dict[str, Result]) -> dict[str, str]:
    """Return the line of docs/benchmarks.md about a million photos, by the words that it starts with."""
    ten, thirty = (results["scale"]["patterns"]["backfill"][limit] for limit in ("10", "30"))
    return {
        "A backfill of a million photos takes about ": f"{_hours(ten)} and {ten['usd']['total']:.0f} US dollars with "
        f"10 instances, and about {_hours(thirty)} and {thirty['usd']['total']:.0f} US dollars with 30."
    }


def rewrite(page: str, lines: dict[str, str]) -> str:
    """Return a page with the lines replaced that start with the given words."""
    starts = {line: start for line in page.splitlines() for start in lines if line.startswith(start)}
    return "".join(
        f"{starts[line]}{lines[starts[line]]}\n" if line in starts else f"{line}\n" for line in page.splitlines()
    )


def _seconds(server: Result, digits: int) -> str:
    return f"{server['cold_ms']['median'] / 1000:.{digits}f}"


def _ms(server: Result) -> str:
    return f"{server['ms']['median']:.0f}"


def _hours(case: Result) -> str:
    hours = round(case["hours"], 1) if case["hours"] < 2 else round(case["hours"])
    return f"{hours:g} hour" + ("" if hours == 1 else "s")
