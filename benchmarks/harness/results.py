"""What was measured, as JSON files."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

NAMES = ("cold", "latency", "load", "growth")
QUIET = 0.1  # share of the CPUs that others may use before figures are in doubt


def machine() -> dict[str, Any]:
    """Say what runs the benchmark, and how busy it is with other things."""
    return {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "busy_before": round(_busy_share(1.0), 3),
    }


def save(folder: Path, name: str, result: dict[str, Any]) -> None:
    """Write one benchmark's results."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the results there are, by the benchmark's name."""
    return {name: json.loads(file.read_text()) for name in NAMES if (file := folder / f"{name}.json").is_file()}


def _busy_share(seconds: float) -> float:
    """Tell which share of the CPUs is in use."""
    idle, total = _ticks()
    time.sleep(seconds)
    idle_after, total_after = _ticks()
    return 1 - (idle_after - idle) / max(1, total_after - total)


def _ticks() -> tuple[int, int]:
    with open("/proc/stat") as file:
        values = [int(value) for value in file.readline().split()[1:9]]
    return values[3] + values[4], sum(values)
