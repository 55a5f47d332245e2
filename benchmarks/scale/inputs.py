"""The inputs of the simulation, from `scale.toml` and `deploy/prices.tsv`: each with its source, date and status."""

from __future__ import annotations

import csv
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "scale.toml"
PRICES = Path(__file__).parents[2] / "deploy" / "prices.tsv"
# The free tier is a discount at the prices of tier 1.
FREE = {"free_cpu_s": "cpu_s", "free_gib_s": "gib_s", "free_requests": "request"}
STATUSES = ("published", "reported", "measured", "chosen", "assumed")

Inputs = dict[str, dict[str, Any]]  # value by section and name


def facts(file: Path = FILE) -> dict[str, dict[str, dict[str, Any]]]:
    """Return each value with its status, date, and source in full, by section and name."""
    sections = tomllib.loads(file.read_text())
    sources = sections.pop("sources")
    facts = {
        section: {name: {**fact, "source": sources[fact["source"]]} for name, fact in table.items()}
        for section, table in sections.items()
    }
    facts["price"] |= prices(facts["function"]["region"]["value"])
    return facts


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


def read(file: Path = FILE) -> Inputs:
    """Return the values alone, by section and name."""
    return {section: {name: fact["value"] for name, fact in table.items()} for section, table in facts(file).items()}
