"""What every command does around its measuring."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.harness import options as command_line
from benchmarks.harness import results
from benchmarks.harness.options import Options
from benchmarks.report import tables


def run(name: str, measure: Callable[[Options], dict[str, Any]]) -> None:
    """Measure, save, and say what came out; ended from outside, take the servers along."""
    options = command_line.parse(name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results.save(options.results, name, measure(options))
    tables.publish(options.results)
