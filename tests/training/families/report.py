"""The table of the families' results, as JSON and Markdown."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.training.families.check import RECIPES, Row

GOOD = ("agrees", "refused, then agrees")
MESSAGE_CHARS = 400
HEADING = """# Model families

`make families` writes this table. Each model is trained on drawn shapes for seconds, and then taken through the
project's own commands: quantize (float16 and int8), describe, evaluate, and `python -m model` with LiteRT. Agreement is
the share of pixels on which the served mask is the model's own answer, read as its author reads it; at least
{float16} for float16 and {int8} for int8. "Refused, then agrees": a command refused the model with a message, and the
step that it names was tried, and works.
"""


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Write results.json and results.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    (folder / "results.md").write_text(markdown(rows))


def markdown(rows: Sequence[Row]) -> str:
    """Return the table, its sums, and every refusal with the step that was tried."""
    lines = [HEADING.format(**RECIPES), summary(rows), ""]
    lines.append("| family | what it is | own IoU | float16 | int8 | describe | evaluate | verdict |")
    lines.append("|---|---|---|---|---|---|---|---|")
    for row in rows:
        cells = [row.name, row.title, f"{row.own_iou:.2f}", *(_agreement(row, recipe) for recipe in RECIPES)]
        lines.append("| " + " | ".join([*cells, _short(row.describe), _short(row.evaluate), row.verdict]) + " |")
    lines += ["", "## Messages", ""]
    for row in rows:
        problems = [text for text in (*row.quantize.values(), row.describe, row.evaluate) if text not in ("ok", "")]
        entries = [f"{_plain(message)} Tried: `{tried}`." for message, tried in row.refusals]
        entries += [_plain(text) for text in dict.fromkeys(problems)]
        if entries:
            lines.append(f"- **{row.name}**")
            lines += [f"  - {entry}" for entry in entries]
    return "\n".join(lines) + "\n"


def summary(rows: Sequence[Row]) -> str:
    """Return how many rows have each verdict."""
    counts = Counter(row.verdict.partition(":")[0] for row in rows)
    return f"{len(rows)} families: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()) + "."


def _agreement(row: Row, recipe: str) -> str:
    if recipe in row.agreement and row.agreement[recipe] > 0:
        return f"{row.agreement[recipe]:.4f}"
    return _short(row.quantize.get(recipe, ""))


def _short(text: str) -> str:
    return text.partition(":")[0].partition(" (")[0].replace("|", "/")


def _plain(text: str) -> str:
    return textwrap.shorten(text, MESSAGE_CHARS, placeholder=" ...")
