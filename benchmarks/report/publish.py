"""Write the tables and draw the charts of the results in a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.harness import results
from benchmarks.harness.options import BENCHMARKS, CACHE, ROOT
from benchmarks.harness.venvs import InstallFailed, install
from benchmarks.report import tables

REQUIREMENTS = BENCHMARKS / "report" / "requirements.txt"


def publish(folder: Path, with_charts: bool = True) -> None:
    """Write `table.md` and the charts into a folder of results, and print the tables.

    Args:
        folder: Folder of the results.
        with_charts: Whether to draw the charts, for which matplotlib is installed.
    """
    loaded = results.load(folder)
    text = tables.document(loaded)
    (folder / "table.md").write_text(text)
    print(text)
    for name, result in loaded.items():
        if result["quick"]:
            print(f"{name}: a quick run; ignore its figures")
        if result["machine"]["busy_before"] > results.MAX_BUSY_SHARE:
            busy = result["machine"]["busy_before"]
            print(f"{name}: other processes used {busy:.0%} of the CPUs when it started; its figures are doubtful")
    if with_charts:
        draw(folder)


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
