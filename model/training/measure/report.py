"""The report of an evaluation: a table for the terminal, report.md, report.json and pictures of the worst photos."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.tflite.card import ModelCard
from model.training import cli
from model.training.data.samples import Sample
from model.training.measure.evaluation import Evaluation
from model.training.measure.latency import Measurement

WORST_PHOTOS = 10
TILE_PX = 192
UNLABELLED_COLOUR = (128, 128, 128)
OVERLAY_OPACITY = 140  # of 255

METHOD = (
    "{count} photos, each decoded, scaled and segmented as in the function. IoU: the mean over the photos, on the"
    " labelled pixels, at the card's threshold and the photo's size; of the object for two classes, of all classes for"
    " more. Border as object: IoU with unlabelled pixels counted as object, at the best threshold. Boundary F: F-score"
    " of the outlines, which agree within 0.75 % of the photo's diagonal. Max. false positives: the largest share of a"
    " photo without an object that is marked."
)
LATENCY_METHOD = "Latency is of one inference with one thread; memory is that of the process."

Row = Mapping[str, str]


def write(out: Path, results: Sequence[Evaluation], photos: Sequence[Sample]) -> None:
    """Write report.md, report.json and, for each model, worst-NAME.png.

    Args:
        out: The folder, created if it is missing.
        results: The models' results, those of the reference first.
        photos: The photos that they were evaluated on.
    """
    names = unique_names(results)
    for name, result in zip(names, results, strict=True):
        with cli.atomic_path(out / f"worst-{name}.png") as partial:
            picture(result, photos).save(partial)
    cli.write_atomic(out / "report.json", json.dumps([summary(result) for result in results], indent=2) + "\n")
    cli.write_atomic(out / "report.md", markdown(names, results, len(photos)))


def unique_names(results: Sequence[Evaluation]) -> list[str]:
    """Return the models' file names without suffix, with a number where two are equal."""
    names = [result.candidate.file.stem for result in results]
    return [name if names.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(names, 1)]


def summary(result: Evaluation) -> dict[str, Any]:
    """Return a model's results as they are written to report.json; NaN becomes None."""
    candidate = result.candidate
    values = {
        "model": candidate.file.name,
        "sha256": candidate.sha256,
        "bytes": candidate.size_bytes,
        "input_wh": candidate.input.max_wh,
        "labels": candidate.card.labels,
        "threshold": candidate.card.threshold,
        "iou": result.iou,
        "photo_iou": result.photo_iou,
        "class_iou": result.class_iou,
        "pooled_iou": result.pooled_iou,
        "border_iou": result.border_iou,
        "border_threshold": result.border_threshold,
        "boundary_f": result.boundary_f,
        "marked": result.false_positive_share,
        "figures": [asdict(measurement) for measurement in result.measurements],
    }
    return {name: _without_nan(value) for name, value in values.items()}


def table(results: Sequence[Evaluation]) -> str:
    """Return the models' accuracy and their latency as Markdown tables, readable on a terminal too."""
    costs = [_latency_row(result, measurement) for result in results for measurement in result.measurements]
    tables = [_table([_accuracy_row(result, results[0]) for result in results])]
    return "\n\n".join([*tables, *([_table(costs)] if costs else [])])


def markdown(names: Sequence[str], results: Sequence[Evaluation], count: int) -> str:
    """Return report.md.

    Args:
        names: The models' unique names, by which their pictures are called.
        results: The models' results, those of the reference first.
        count: Number of photos.

    Returns:
        The text of the report.
    """
    class_rows = [row for result in results for row in _class_rows(result)]
    parts = [
        "# Evaluation",
        METHOD.format(count=count),
        table(results),
        LATENCY_METHOD,
        "## By class",
        _table(class_rows),
        "## Worst photos",
    ]
    for name, result in zip(names, results, strict=True):
        photos = ", ".join(f"{photo} {result.photo_iou[photo]:.3f}" for photo in worst(result))
        parts += [f"{result.candidate.file.name}: {photos}", f"![photo, truth and mask](worst-{name}.png)"]
    return "\n\n".join(parts) + "\n"


def worst(result: Evaluation) -> list[str]:
    """Return the names of the photos with the lowest IoU, the worst first."""
    return sorted(result.photo_iou, key=lambda name: result.photo_iou[name])[:WORST_PHOTOS]


def picture(result: Evaluation, photos: Sequence[Sample]) -> Image.Image:
    """Draw a model's worst photos, two in a row, each as the photo, the true mask on it and the model's mask on it.

    Args:
        result: The model's results.
        photos: The photos that it was evaluated on.

    Returns:
        An RGB image, 6 tiles wide.
    """
    by_name = {sample.name: sample for sample in photos}
    samples = [by_name[name] for name in worst(result)]
    image = Image.new("RGB", (6 * TILE_PX, TILE_PX * ((len(samples) + 1) // 2)), "white")
    canvas = ImageDraw.Draw(image)
    candidate = result.candidate
    for i, sample in enumerate(samples):
        photo = sample.photo.copy()  # thumbnail changes it
        mask = candidate.class_ids(candidate.scores(sample), photo.size)
        tiles = photo, overlay(photo, np.asarray(sample.ids), candidate.card), overlay(photo, mask, candidate.card)
        for j, tile in enumerate(tiles):
            tile.thumbnail((TILE_PX, TILE_PX))
            image.paste(tile, ((3 * (i % 2) + j) * TILE_PX, i // 2 * TILE_PX))
        caption = f"{sample.name} {result.photo_iou[sample.name]:.3f}"
        position = 3 * (i % 2) * TILE_PX + 4, i // 2 * TILE_PX + 4
        canvas.text(position, caption, "white", stroke_width=1, stroke_fill="black")
    return image


def overlay(photo: Image.Image, ids: NDArray[np.uint8], card: ModelCard) -> Image.Image:
    """Blend the classes' colours over a photo, grey for unlabelled pixels; class 0 stays as it is.

    Args:
        photo: RGB.
        ids: uint8 (H, W), class ids, of the photo's size.
        card: The card with the palette.

    Returns:
        An RGB image of the photo's size.
    """
    palette = np.full((256, 3), UNLABELLED_COLOUR, np.uint8)
    palette[: len(card.palette)] = card.palette
    opacity = Image.fromarray(np.where(ids == 0, 0, OVERLAY_OPACITY).astype(np.uint8))
    return Image.composite(Image.fromarray(palette[ids]), photo, opacity)


def _accuracy_row(result: Evaluation, first: Evaluation) -> Row:
    row = {
        "model": result.candidate.file.name,
        "KB": f"{result.candidate.size_bytes / 1000:,.0f}",
        "IoU": f"{result.iou:.4f}",
        "difference": f"{result.iou - first.iou:+.4f}" if result is not first else "",
        "border as object": "" if result.border_iou is None else f"{result.border_iou:.4f}",
        "at threshold": "" if result.border_threshold is None else f"{result.border_threshold:.2f}",
        "boundary F": f"{result.boundary_f:.4f}",
    }
    if result.false_positive_share:
        row["max. false positives"] = f"{max(result.false_positive_share.values()):.2%}"
    return row


def _latency_row(result: Evaluation, measurement: Measurement) -> Row:
    return {
        "model": result.candidate.file.name,
        "runtime": measurement.runtime + ("" if measurement.xnnpack else " without XNNPACK"),
        "Python": measurement.python,
        "median ms": f"{measurement.median_ms:.1f}",
        "p95 ms": f"{measurement.p95_ms:.1f}",
        "resident MB": f"{measurement.resident_mb:.0f}",
        "model's MB": f"{measurement.model_mb:.0f}",
    }


def _class_rows(result: Evaluation) -> list[Row]:
    labels = result.candidate.card.labels
    return [
        {
            "model": result.candidate.file.name,
            "class": label,
            "mean over photos": f"{mean:.4f}",
            "over all pixels": f"{pooled:.4f}",
        }
        for label, mean, pooled in zip(labels, result.class_iou, result.pooled_iou, strict=True)
    ]


def _table(rows: Sequence[Row]) -> str:
    """Return a Markdown table with aligned columns."""
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
