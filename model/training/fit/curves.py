"""A training history as a picture."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image, ImageDraw

WIDTH, HEIGHT, MARGIN = 960, 480, 56
COLOURS = {"loss": "#c0392b", "iou": "#1f6fb2", "border_iou": "#2e8b57"}

Row = dict[str, float]


def read(file: Path) -> list[Row]:
    """Read a history.csv; no rows where there is none."""
    if not file.is_file():
        return []
    with file.open(newline="") as stream:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(stream)]


def draw(rows: list[Row]) -> Image.Image:
    """Draw loss and IoU over the epochs, all between 0 and 1, and write the last value beside each name."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(sheet)
    last = max(row["epoch"] for row in rows)

    def at(epoch: float, value: float) -> tuple[float, float]:
        x = MARGIN + (WIDTH - 2 * MARGIN) * epoch / last
        return x, HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * min(max(value, 0.0), 1.0)

    for tenth in range(0, 11, 2):
        pen.line([at(0, tenth / 10), at(last, tenth / 10)], "#dddddd")
        pen.text((MARGIN - 28, at(0, tenth / 10)[1] - 6), f"{tenth / 10:.1f}", "#555555")
    pen.text((MARGIN, HEIGHT - MARGIN + 8), "0", "#555555")
    pen.text((WIDTH - MARGIN - 56, HEIGHT - MARGIN + 8), f"epoch {last:.0f}", "#555555")
    for i, (name, colour) in enumerate(COLOURS.items()):
        points = [at(row["epoch"], row[name]) for row in rows if name in row]
        if points:
            pen.line(points, colour, width=2)
            for x, y in points:
                pen.ellipse((x - 2, y - 2, x + 2, y + 2), colour)
            value = [row[name] for row in rows if name in row][-1]
            pen.text((MARGIN + 160 * i, 20), f"{name.replace('_', ' ')} {value:.3f}", colour)
    return sheet
