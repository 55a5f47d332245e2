"""What evaluate found, as a table, as Markdown, as JSON and as pictures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.tflite.card import ModelCard
from model.training import cli
from model.training.data.samples import Sample

if TYPE_CHECKING:
    from model.training.evaluate import Verdict

WORST = 10
TILE_PX = 192
UNKNOWN_COLOUR = (128, 128, 128)


def write(out: Path, verdicts: list[Verdict], judged_on: list[Sample]) -> None:
    """Write report.md, report.json and a picture of each model's worst photos into a folder."""
    names = unique_names(verdicts)
    for name, verdict in zip(names, verdicts, strict=True):
        with cli.atomic_path(out / f"worst-{name}.png") as partial:
            picture(verdict, judged_on).save(partial)
    cli.write_atomic(out / "report.json", json.dumps([summary(verdict) for verdict in verdicts], indent=2) + "\n")
    cli.write_atomic(out / "report.md", markdown(names, verdicts, len(judged_on)))


def unique_names(verdicts: list[Verdict]) -> list[str]:
    """Name each model by its file, numbered where two are called the same."""
    names = [verdict.candidate.file.stem for verdict in verdicts]
    return [name if names.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(names, 1)]


def summary(verdict: Verdict) -> dict[str, Any]:
    """Give all that is known of a model's verdict, ready for JSON."""
    candidate = verdict.candidate
    values = {name: value for name, value in vars(verdict).items() if name not in ("candidate", "figures")}
    values["figures"] = [asdict(figures) for figures in verdict.figures]
    about = {
        "model": candidate.file.name,
        "sha256": candidate.sha256,
        "bytes": candidate.size_bytes,
        "input_wh": candidate.input_wh,
        "labels": candidate.card.labels,
        "threshold": candidate.card.threshold,
        "iou": verdict.iou,
    }
    return {name: _without_nan(value) for name, value in {**about, **values}.items()}


def columns(verdict: Verdict, first: Verdict) -> dict[str, str]:
    """Give the cells of a model's row by their headings."""
    cells = {
        "model": verdict.candidate.file.name,
        "KB": f"{verdict.candidate.size_bytes / 1000:,.0f}",
        "IoU": f"{verdict.iou:.4f}",
        "against the first": f"{verdict.iou - first.iou:+.4f}" if verdict is not first else "",
        "border as object": "" if verdict.border_iou is None else f"{verdict.border_iou:.4f}",
        "at threshold": "" if verdict.border_threshold is None else f"{verdict.border_threshold:.2f}",
        "boundary F": f"{verdict.boundary_f:.4f}",
    }
    if verdict.marked:
        cells["marked with no object, at most"] = f"{max(verdict.marked.values()):.2%}"
    return cells


def table(verdicts: list[Verdict]) -> str:
    """Lay out the models' figures as a Markdown table, which is a table on a terminal too."""
    tables = [_table([columns(verdict, verdicts[0]) for verdict in verdicts])]
    costs = [_costs(verdict, i) for verdict in verdicts for i in range(len(verdict.figures))]
    return "\n\n".join([*tables, *([_table(costs)] if costs else [])])


def markdown(names: list[str], verdicts: list[Verdict], count: int) -> str:
    """Write the whole report."""
    classes = [
        {
            "model": v.candidate.file.name,
            "class": label,
            "mean of photos": f"{mean:.4f}",
            "all pixels at once": f"{pooled:.4f}",
        }
        for v in verdicts
        for label, mean, pooled in zip(v.candidate.card.labels, v.class_iou, v.pooled_iou, strict=True)
    ]
    parts = [
        "# Evaluation",
        f"{count} photos, each by the way it goes in service. IoU: the mean of the photos' own, over the classified"
        " pixels, at the card's threshold and the photo's size; of the object where there are two classes, of all"
        " classes where there are more. Border as object: pixels that nobody classified count as object, at the best"
        " threshold. Boundary F: outlines within 0.75 % of the photo's diagonal agree.",
        table(verdicts),
        "Milliseconds are of one inference in one thread; memory is of the process that ran it.",
        "## By class",
        _table(classes),
        "## The worst photos",
    ]
    for name, verdict in zip(names, verdicts, strict=True):
        listed = ", ".join(f"{photo} {verdict.photo_iou[photo]:.3f}" for photo in worst(verdict))
        parts += [f"{verdict.candidate.file.name}: {listed}", f"![photo, truth and mask](worst-{name}.png)"]
    return "\n\n".join(parts) + "\n"


def worst(verdict: Verdict) -> list[str]:
    """Name the photos of the lowest IoU, the worst first."""
    return sorted(verdict.photo_iou, key=lambda name: verdict.photo_iou[name])[:WORST]


def picture(verdict: Verdict, judged_on: list[Sample]) -> Image.Image:
    """Draw the worst photos in rows of two: the photo, the truth on it, the mask on it."""
    by_name = {sample.name: sample for sample in judged_on}
    shown = [by_name[name] for name in worst(verdict)]
    sheet = Image.new("RGB", (6 * TILE_PX, TILE_PX * ((len(shown) + 1) // 2)), "white")
    candidate = verdict.candidate
    for i, sample in enumerate(shown):
        photo = sample.photo.copy()  # thumbnail works in place
        found = candidate.mask(candidate.scores(sample), photo.size)
        tiles = photo, tinted(photo, np.asarray(sample.ids), candidate.card), tinted(photo, found, candidate.card)
        for j, tile in enumerate(tiles):
            tile.thumbnail((TILE_PX, TILE_PX))
            sheet.paste(tile, ((3 * (i % 2) + j) * TILE_PX, i // 2 * TILE_PX))
        caption = f"{sample.name} {verdict.photo_iou[sample.name]:.3f}"
        at = 3 * (i % 2) * TILE_PX + 4, i // 2 * TILE_PX + 4
        ImageDraw.Draw(sheet).text(at, caption, "white", stroke_width=1, stroke_fill="black")
    return sheet


def tinted(photo: Image.Image, ids: NDArray[np.uint8], card: ModelCard) -> Image.Image:
    """Lay the colours of the classes half over a photo; the background stays as it is."""
    table = np.full((256, 3), UNKNOWN_COLOUR, np.uint8)
    table[: len(card.palette)] = card.palette
    opacity = Image.fromarray(np.where(ids == 0, 0, 140).astype(np.uint8))
    return Image.composite(Image.fromarray(table[ids]), photo, opacity)


def _costs(verdict: Verdict, i: int) -> dict[str, str]:
    figures = verdict.figures[i]
    return {
        "model": verdict.candidate.file.name,
        "runtime": figures.runtime + ("" if figures.xnnpack else " without XNNPACK"),
        "Python": figures.python,
        "median ms": f"{figures.median_ms:.1f}",
        "p95 ms": f"{figures.p95_ms:.1f}",
        "resident MB": f"{figures.resident_mb:.0f}",
        "of which the model": f"{figures.model_mb:.0f}",
    }


def _table(rows: list[dict[str, str]]) -> str:
    headings = list(rows[0])
    widths = [max(len(heading), *(len(row[heading]) for row in rows)) for heading in headings]
    cells = [headings, ["-" * width for width in widths], *([row[heading] for heading in headings] for row in rows)]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    )


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
