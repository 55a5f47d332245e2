"""Write the tables and draw the charts of the committed results: `python -m benchmarks.report`."""

from __future__ import annotations

from benchmarks.harness.options import parse
from benchmarks.report.publish import publish

if __name__ == "__main__":
    options = parse("report")
    publish(options.results, options.install)
