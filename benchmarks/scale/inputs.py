"""The inputs of the simulation, from `scale.toml` and `deploy/prices.tsv`: each with its source, date and status."""

from __future__ import annotations

import csv
import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "scale.toml"
LATENCY = FILE.parent / "results" / "latency.json"
MEASURED_PHOTO = "4000x3000-jpg"
PRICES = Path(__file__).parents[2] / "deploy" / "prices.tsv"
# The free tier is a discount at the prices of tier 1.
FREE = {"free_cpu_s": "cpu_s", "free_gib_s": "gib_s", "free_requests": "request"}
STATUSES = ("published", "reported", "measured", "chosen", "assumed")

Inputs = dict[str, dict[str, Any]]  # value by section and name


def facts(file: Path = FILE, server: str = "ours") -> dict[str, dict[str, dict[str, Any]]]:
    """Return each value with its status, date, and source in full, by section and name.

    Args:
        file: The file of the inputs.
        server: The server of benchmarks.latency whose time for a photo is taken.
    """
    sections = tomllib.loads(file.read_text())
    sources = sections.pop("sources")
    facts = {
        section: {name: {**fact, "source": sources[fact["source"]]} for name, fact in table.items()}
        for section, table in sections.items()
    }
    facts["function"]["cpu_ms_p50"] = measured(server)
    facts["price"] |= prices(facts["function"]["region"]["value"])
    return facts


def measured(server: str) -> dict[str, Any]:
    """Return the median latency of a 12-megapixel photo, in milliseconds, as a fact.

    Raises:
        ValueError: If the server was not measured.
    """
    latency = json.loads(LATENCY.read_text())
    (photo,) = (each for each in latency["photos"] if each["name"] == MEASURED_PHOTO)
    if server not in photo["servers"]:
        raise ValueError(f"{LATENCY} has no times of {server}: run python -m benchmarks.latency first")
    return {
        "value": photo["servers"][server]["ms"]["median"],
        "status": "measured",
        "date": date.fromisoformat(latency["machine"]["date"]),
        "source": "benchmarks/results/latency.json",
        "why": f"a photo of 12 megapixels, one at a time, by {photo['servers'][server]['title']}",
    }


def prices(region: str) -> dict[str, dict[str, Any]]:
    """Return Cloud Run's prices in a region, as facts by name.

    Raises:
        ValueError: If the table does not name the region.
    """
    lines = [line for line in PRICES.read_text().splitlines() if not line.startswith("#")]
    rows = {row["item"]: row for row in csv.DictReader(lines, delimiter="\t")}
    tiers = [tier for tier in ("tier 1", "tier 2") if region in rows["regions"][tier].split()]
    if not tiers:
        raise ValueError(f"{PRICES} does not name the price tier of {region}")
    facts = {}
    for name, row in rows.items():
        if name != "regions":
            value = float(row[tiers[0]])
            if name in FREE:
                value *= float(rows[FREE[name]]["tier 1"]) / float(rows[FREE[name]][tiers[0]])
            when = date.fromisoformat(row["date"])
            facts[name] = {
                "value": value,
                "status": row["status"],
                "date": when,
                "source": row["source"],
                "why": row["note"],
            }
    return facts


def read(file: Path = FILE, server: str = "ours") -> Inputs:
    """Return the values alone, by section and name; the arguments are those of `facts`."""
    return {
        section: {name: fact["value"] for name, fact in table.items()} for section, table in facts(file, server).items()
    }
