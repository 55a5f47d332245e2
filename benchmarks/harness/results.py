"""Benchmark results as JSON files."""

from __future__ import annotations

import json
import os
import platform
import re
import time
from pathlib import Path
from typing import Any

NAMES = ("cold", "latency", "load", "growth", "scale")
MAX_BUSY_SHARE = 0.1  # of the CPUs used by other processes, above which the figures are doubtful
INNERMOST = re.compile(r"[\[{][^\[\]{}]*[\]}]")


def machine() -> dict[str, Any]:
    """Describe the machine, and how busy it is with other processes."""
    return {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        "busy_before": round(_busy_share(1.0), 3),
    }


def save(folder: Path, name: str, result: dict[str, Any]) -> None:
    """Write the results of one benchmark, each innermost object on a line."""
    folder.mkdir(parents=True, exist_ok=True)
    text = INNERMOST.sub(lambda match: re.sub(r"\n +", " ", match[0]), json.dumps(result, indent=1))
    (folder / f"{name}.json").write_text(text + "\n")


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the results that exist in a folder, by the benchmark's name."""
    return {name: json.loads(file.read_text()) for name in NAMES if (file := folder / f"{name}.json").is_file()}


def _busy_share(seconds: float) -> float:
    """Measure the share of the CPUs that is in use."""
    idle, total = _ticks()
    time.sleep(seconds)
    idle_after, total_after = _ticks()
    return 1 - (idle_after - idle) / max(1, total_after - total)


def _ticks() -> tuple[int, int]:
    """Return the idle and the total CPU time since boot, in clock ticks (man 5 proc)."""
    with open("/proc/stat") as file:
        values = [int(value) for value in file.readline().split()[1:9]]
    return values[3] + values[4], sum(values)
