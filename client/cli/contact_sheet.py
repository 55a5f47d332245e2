"""Contact sheets: small pictures of many photos, each beside what was made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from client.cli.comparison import encode_as, open_answer
from client.errors import ClientError
from client.photo import open_small, to_bytes

COLUMNS, ROWS = 5, 12
THUMB_PX = 128
GAP_PX = 8
LABEL_PX = 14
LONGEST_LABEL_CHARS = 40
CELL_WH = (2 * THUMB_PX + GAP_PX, THUMB_PX + LABEL_PX + GAP_PX)


@dataclass(frozen=True)
class Pair:
    """Hold a photo and its result, both as files."""

    photo: Path
    result: Path


def draw_sheets(pairs: list[Pair], ending: str) -> Iterator[bytes]:
    """Draw as many sheets as it takes, each encoded as the ending says.

    raises: PhotoError
    """
    for first in range(0, len(pairs), COLUMNS * ROWS):
        yield encode_as(draw_sheet(pairs[first : first + COLUMNS * ROWS]), ending)


def draw_sheet(pairs: list[Pair]) -> Image.Image:
    """Draw one sheet, no wider or higher than its pictures need."""
    columns, rows = min(COLUMNS, len(pairs)), -(-len(pairs) // COLUMNS)
    sheet = Image.new("RGB", (columns * (CELL_WH[0] + GAP_PX) + GAP_PX, rows * (CELL_WH[1] + GAP_PX) + GAP_PX), "white")
    for index, pair in enumerate(pairs):
        row, column = divmod(index, COLUMNS)
        draw_cell(sheet, pair, GAP_PX + column * (CELL_WH[0] + GAP_PX), GAP_PX + row * (CELL_WH[1] + GAP_PX))
    return sheet


def draw_cell(sheet: Image.Image, pair: Pair, left: int, top: int) -> None:
    """Draw a photo, its result and its name; one that can no longer be opened stays an empty frame."""
    pen = ImageDraw.Draw(sheet)
    try:
        photo, _ = open_small(to_bytes(pair.photo), THUMB_PX)
        result = open_answer(to_bytes(pair.result))
        result.thumbnail((THUMB_PX, THUMB_PX))
        # They stand on the line that the name is under.
        sheet.paste(photo, (left, top + THUMB_PX - photo.height))
        sheet.paste(result, (left + THUMB_PX + GAP_PX, top + THUMB_PX - result.height))
    except ClientError:
        pen.rectangle((left, top, left + CELL_WH[0], top + THUMB_PX), outline="grey")
    # The font that comes with Pillow knows Latin letters alone.
    label = pair.photo.name[-LONGEST_LABEL_CHARS:].encode("latin-1", "replace").decode("latin-1")
    pen.text((left, top + THUMB_PX + 1), label, fill="black", font=ImageFont.load_default())


def nth_path(path: Path, index: int) -> Path:
    """Name a sheet: the first as it was asked for, the next with a number."""
    return path if index == 0 else path.with_name(f"{path.stem}-{index + 1}{path.suffix}")


def sheet_paths(path: Path) -> list[Path]:
    """List the sheets that an earlier run left, and the first one in any case."""
    numbered = re.compile(re.escape(path.stem) + r"-\d+")
    there = path.parent.glob(f"*{path.suffix}") if path.parent.is_dir() else []
    return [path, *(each for each in there if numbered.fullmatch(each.stem))]
