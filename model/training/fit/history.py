"""The history of a training run: `history.csv`, and its curves as a picture."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image, ImageDraw

from model.training import cli

HISTORY_FILE, CURVES_FILE = "history.csv", "curves.png"
WIDTH_PX, HEIGHT_PX, MARGIN_PX = 960, 480, 56
COLOURS = {"loss": "#c0392b", "iou": "#1f6fb2", "border_iou": "#2e8b57"}

Row = dict[str, float]


def read(file: Path) -> list[Row]:
    """Read the rows of a history.csv; a missing file has none."""
    if not file.is_file():
        return []
    with file.open(newline="") as stream:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(stream)]


def append(out: Path, epoch: int, figures: Row) -> None:
    """Add a row to a run's history, in place of the rows of that epoch and later, and redraw the curves.

    Args:
        out: The run's folder.
        epoch: The number of completed epochs.
        figures: The row's values by column.
    """
    rows = [{**row, "epoch": int(row["epoch"])} for row in read(out / HISTORY_FILE) if row["epoch"] < epoch]
    rows.append({"epoch": epoch, **figures})
    with cli.atomic_path(out / HISTORY_FILE) as partial, partial.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[-1]))
        writer.writeheader()
        writer.writerows(rows)
    with cli.atomic_path(out / CURVES_FILE) as partial:
        plot(rows).save(partial)


def plot(rows: list[Row]) -> Image.Image:
    """Plot loss and IoU over the epochs on an axis from 0 to 1, with the last value of each in the legend.

    Args:
        rows: At least one row, with the columns "epoch" and any of COLOURS.

    Returns:
        An RGB image.
    """
    image = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), "white")
    canvas = ImageDraw.Draw(image)
    last_epoch = max(row["epoch"] for row in rows)

    def point(epoch: float, value: float) -> tuple[float, float]:
        x = MARGIN_PX + (WIDTH_PX - 2 * MARGIN_PX) * epoch / last_epoch
        return x, HEIGHT_PX - MARGIN_PX - (HEIGHT_PX - 2 * MARGIN_PX) * min(max(value, 0.0), 1.0)

    for tenth in range(0, 11, 2):
        canvas.line([point(0, tenth / 10), point(last_epoch, tenth / 10)], "#dddddd")
        canvas.text((MARGIN_PX - 28, point(0, tenth / 10)[1] - 6), f"{tenth / 10:.1f}", "#555555")
    canvas.text((MARGIN_PX, HEIGHT_PX - MARGIN_PX + 8), "0", "#555555")
    canvas.text((WIDTH_PX - MARGIN_PX - 56, HEIGHT_PX - MARGIN_PX + 8), f"epoch {last_epoch:.0f}", "#555555")
    for i, (name, colour) in enumerate(COLOURS.items()):
        values = [(row["epoch"], row[name]) for row in rows if name in row]
        if values:
            points = [point(*value) for value in values]
            canvas.line(points, colour, width=2)
            for x, y in points:
                canvas.ellipse((x - 2, y - 2, x + 2, y + 2), colour)
            canvas.text((MARGIN_PX + 160 * i, 20), f"{name.replace('_', ' ')} {values[-1][1]:.3f}", colour)
    return image
