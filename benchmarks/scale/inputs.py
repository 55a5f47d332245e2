"""The inputs of the simulation, read from `scale.toml`: each value with its source, date and status."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "scale.toml"
STATUSES = ("published", "reported", "measured", "chosen", "assumed")

Inputs = dict[str, dict[str, Any]]  # value by section and name


def facts(file: Path = FILE) -> dict[str, dict[str, dict[str, Any]]]:
    """Return each value with its status, date, and source in full, by section and name."""
    sections = tomllib.loads(file.read_text())
    sources = sections.pop("sources")
    return {
        section: {name: {**fact, "source": sources[fact["source"]]} for name, fact in table.items()}
        for section, table in sections.items()
    }


def read(file: Path = FILE) -> Inputs:
    """Return the values alone, by section and name."""
    return {section: {name: fact["value"] for name, fact in table.items()} for section, table in facts(file).items()}
