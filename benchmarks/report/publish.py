"""Write the tables and draw the charts of the results in a folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.harness import results
from benchmarks.harness.options import BENCHMARKS, CACHE, ROOT
from benchmarks.harness.venvs import InstallFailed, install
from benchmarks.report import sentences, tables

REQUIREMENTS = BENCHMARKS / "report" / "requirements.txt"


def publish(folder: Path, with_charts: bool = True) -> None:
    """Write `table.md` and the charts into a folder of results, and print the tables.

    Those of the committed results are also written into README.md and docs/benchmarks.md.

    Args:
        folder: Folder of the results.
        with_charts: Whether to draw the charts, for which matplotlib is installed.
    """
    loaded = results.load(folder)
    text = tables.document(loaded)
    (folder / "table.md").write_text(text)
    print(text)
    if folder == BENCHMARKS / "results":
        try:
            write_pages(loaded)
        except KeyError as missing:
            print(f"the pages are unchanged, because {missing} was not measured", file=sys.stderr)
    for name, result in loaded.items():
        if result.get("quick"):
            print(f"{name}: a quick run; ignore its figures")
        busy = result["machine"]["busy_before"] if "machine" in result else 0.0  # a simulation has no machine
        if busy > results.MAX_BUSY_SHARE:
            print(f"{name}: other processes used {busy:.0%} of the CPUs when it started; its figures are doubtful")
    if with_charts:
        draw(folder)


def write_pages(loaded: dict[str, dict[str, Any]], root: Path = ROOT) -> None:
    """Write the figures of the results, which must be complete, into README.md and docs/benchmarks.md."""
    readme, page = root / "README.md", root / "docs" / "benchmarks.md"
    readme.write_text(sentences.rewrite(readme.read_text(), sentences.readme(loaded)))
    text = sentences.rewrite(page.read_text(), sentences.benchmarks_page(loaded))
    table = tables.targets_table(loaded)
    page.write_text(re.sub(re.escape(table.splitlines()[0]) + r"\n(?:\|.*\n)+", lambda _: table, text))


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
