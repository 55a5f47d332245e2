"""Write the tables and draw the charts of the results in a folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import results
from benchmarks.harness.options import BENCHMARKS, CACHE, ROOT
from benchmarks.harness.venvs import InstallFailed, install
from benchmarks.report import tables

PAGE = ROOT / "docs" / "benchmarks.md"
REQUIREMENTS = BENCHMARKS / "report" / "requirements.txt"


def publish(folder: Path, with_charts: bool = True) -> None:
    """Write `table.md` and the charts into a folder of results, and print the tables.

    The committed results' targets are written into docs/benchmarks.md too.

    Args:
        folder: Folder of the results.
        with_charts: Whether to draw the charts, for which matplotlib is installed.
    """
    loaded = results.load(folder)
    text = tables.document(loaded)
    (folder / "table.md").write_text(text)
    print(text)
    if folder == BENCHMARKS / "results":
        write_targets(tables.targets_table(loaded))
    for name, result in loaded.items():
        if result.get("quick"):
            print(f"{name}: a quick run; ignore its figures")
        busy = result["machine"]["busy_before"] if "machine" in result else 0.0  # a simulation has no machine
        if busy > results.MAX_BUSY_SHARE:
            print(f"{name}: other processes used {busy:.0%} of the CPUs when it started; its figures are doubtful")
    if with_charts:
        draw(folder)


def write_targets(table: str, page: Path = PAGE) -> None:
    """Replace the table of the targets in the page about the benchmarks."""
    head, rule = re.escape(table.splitlines()[0]), r"\n(?:\|.*\n)+"
    page.write_text(re.sub(head + rule, lambda _: table, page.read_text()))


def draw(folder: Path) -> None:
    """Draw the charts of all results in a folder as SVG files, with matplotlib in an environment of its own.

    If matplotlib cannot be installed, print why and draw nothing.
    """
    try:
        python = install(REQUIREMENTS, CACHE / "venvs" / "report")
    except InstallFailed as error:
        print(f"no charts, because matplotlib cannot be installed: {error}", file=sys.stderr)
        return
    subprocess.run([str(python), "-m", "benchmarks.report.charts", str(folder.absolute())], cwd=ROOT, check=True)
