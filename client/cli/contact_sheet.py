"""Contact sheets: thumbnails of many photos, each beside its result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..errors import ClientError
from ..photo import open_reduced, read_photo
from .atomic_write import is_written
from .image_files import encode_as, on_checkerboard, open_result
from .origin import Origin, embed_origin, read_origin
from .terminal import escape

COLUMNS, ROWS = 5, 12
THUMB_PX = 128
GAP_PX = 8
LABEL_PX = 14
LONGEST_LABEL_CHARS = 40
SHEET_ORIGIN = Origin("", "", 0, 0, "", {"output": "contact-sheet"})
CELL_WH = (2 * THUMB_PX + GAP_PX, THUMB_PX + LABEL_PX + GAP_PX)


@dataclass(frozen=True)
class SheetEntry:
    """One cell of a contact sheet.

    Attributes:
        photo: The photo's file.
        result: The result's file.
    """

    photo: Path
    result: Path


def draw_sheets(entries: list[SheetEntry], extension: str) -> Iterator[bytes]:
    """Yield as many contact sheets as the entries need.

    Args:
        entries: Photos and results.
        extension: Extension of the files to write, such as ".png"; it selects the format.

    Yields:
        The encoded sheets.

    Raises:
        PhotoError: If no format has this extension, or the format cannot hold the sheet.
    """
    for first in range(0, len(entries), COLUMNS * ROWS):
        sheet = encode_as(_draw_sheet(entries[first : first + COLUMNS * ROWS]), extension)
        yield embed_origin(sheet, SHEET_ORIGIN)


def _draw_sheet(entries: list[SheetEntry]) -> Image.Image:
    """Draw one sheet, no larger than its cells need."""
    columns, rows = min(COLUMNS, len(entries)), -(-len(entries) // COLUMNS)
    sheet = Image.new("RGB", (columns * (CELL_WH[0] + GAP_PX) + GAP_PX, rows * (CELL_WH[1] + GAP_PX) + GAP_PX), "white")
    for index, entry in enumerate(entries):
        row, column = divmod(index, COLUMNS)
        _draw_cell(sheet, entry, GAP_PX + column * (CELL_WH[0] + GAP_PX), GAP_PX + row * (CELL_WH[1] + GAP_PX))
    return sheet


def _draw_cell(sheet: Image.Image, entry: SheetEntry, left: int, top: int) -> None:
    """Draw a photo, its result and its name; an empty frame if either cannot be opened any more."""
    draw = ImageDraw.Draw(sheet)
    try:
        photo = on_checkerboard(open_reduced(read_photo(entry.photo), THUMB_PX)[0])
        result = open_result(read_photo(entry.result))
        result.thumbnail((THUMB_PX, THUMB_PX))
        # Aligned at the bottom, above the label.
        sheet.paste(photo, (left, top + THUMB_PX - photo.height))
        sheet.paste(result, (left + THUMB_PX + GAP_PX, top + THUMB_PX - result.height))
    except ClientError:
        draw.rectangle((left, top, left + CELL_WH[0], top + THUMB_PX), outline="grey")
    draw.text((left, top + THUMB_PX + 1), label(entry.photo), fill="black", font=ImageFont.load_default())


def label(photo: Path) -> str:
    """Return the end of a photo's name in the letters of Pillow's built-in font, which has Latin ones only."""
    return escape(photo.name)[-LONGEST_LABEL_CHARS:].encode("latin-1", "replace").decode("latin-1")


def check_sheets(path: Path, photos: int) -> None:
    """Check that only contact sheets of earlier runs would be replaced.

    Args:
        path: File of the first sheet.
        photos: Number of photos.

    Raises:
        FileExistsError: If one of the sheets' names belongs to another file.
    """
    for index in range(-(-photos // (COLUMNS * ROWS))):
        sheet = nth_sheet(path, index)
        origin = read_origin(sheet)
        if is_written(sheet) and (origin is None or origin.options != SHEET_ORIGIN.options):
            raise FileExistsError(
                f"{sheet} exists and is not a contact sheet of this command; use --force, or a new name"
            )


def nth_sheet(path: Path, index: int) -> Path:
    """Return the file of a sheet: the given path for the first (index 0), numbered names for the others."""
    return path if index == 0 else path.with_name(f"{path.stem}-{index + 1}{path.suffix}")


def existing_sheets(path: Path) -> list[Path]:
    """Return the path of the first sheet, whether it exists or not, and the further sheets of an earlier run."""
    numbered = re.compile(re.escape(path.stem) + r"-\d+")
    siblings = path.parent.glob(f"*{path.suffix}") if path.parent.is_dir() else []
    return [path, *(each for each in siblings if numbered.fullmatch(each.stem))]
