"""The main function of every benchmark."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.harness import options as command_line
from benchmarks.harness import results
from benchmarks.harness.options import Options
from benchmarks.report.publish import publish


def run(name: str, measure: Callable[[Options], dict[str, Any]]) -> None:
    """Run a benchmark, save its results, and publish all results of the folder.

    Args:
        name: Name of the benchmark.
        measure: Returns its results as JSON values.
    """
    options = command_line.parse(name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that all servers are stopped
    results.save(options.results, name, measure(options))
    publish(options.results, options.install)
