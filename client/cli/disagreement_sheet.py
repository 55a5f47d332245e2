"""The sheet of the photos whose masks agree least: photo, old mask, new mask, difference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..errors import ClientError
from ..mask import Mask
from ..photo import open_reduced, read_photo
from .agreement import ComparedResult, draw_difference
from .contact_sheet import GAP_PX, LABEL_PX, SHEET_ORIGIN, label
from .image_files import encode_as, on_checkerboard, open_result
from .origin import embed_origin

MOST_ROWS = 10
PAPER = (238, 238, 238)  # on which both colours of a mask are seen
PANEL_PX = 224
HEADINGS = ("photo", "--against (old)", "--url (new)", "difference: blue old only, orange new only")
SHEET_WIDTH = len(HEADINGS) * (PANEL_PX + GAP_PX) + GAP_PX


@dataclass(frozen=True)
class ComparedPhoto:
    """A photo and the comparison of its masks.

    Attributes:
        photo: The photo's file.
        result: The comparison.
    """

    photo: Path
    result: ComparedResult


def draw_disagreements(worst: list[ComparedPhoto], background: int | None, extension: str) -> bytes:
    """Draw a row for each photo.

    Args:
        worst: The photos, the one whose masks agree least first.
        background: Class id of the background; None if there is none.
        extension: Extension of the file to write, such as ".png"; it selects the format.

    Returns:
        The encoded sheet, in sRGB.

    Raises:
        BadResponse: If a mask cannot be decoded.
        PhotoError: If no format has this extension, or the format cannot hold the sheet.
    """
    rows = [_draw_row(each, background) for each in worst]
    top = LABEL_PX + GAP_PX
    sheet = Image.new("RGB", (SHEET_WIDTH, top + sum(row.height for row in rows)), PAPER)
    for column, heading in enumerate(HEADINGS):
        _write(sheet, (GAP_PX + column * (PANEL_PX + GAP_PX), GAP_PX // 2), heading)
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return embed_origin(encode_as(sheet, extension), SHEET_ORIGIN)


def _draw_row(compared: ComparedPhoto, background: int | None) -> Image.Image:
    """Draw one photo with its masks, and below them its name and the agreement."""
    result = compared.result
    panels = [
        _open_photo(compared.photo),
        open_result(result.reference.body),
        open_result(result.body),
        draw_difference(Mask(result.body, result).array, Mask(result.reference.body, result).array, background),
    ]
    for panel in panels:
        panel.thumbnail((PANEL_PX, PANEL_PX))
    height = max(panel.height for panel in panels)
    row = Image.new("RGB", (SHEET_WIDTH, height + LABEL_PX + GAP_PX), PAPER)
    for column, panel in enumerate(panels):
        row.paste(panel, (GAP_PX + column * (PANEL_PX + GAP_PX), 0))
    _write(row, (GAP_PX, height + 1), f"IoU {result.agreement:.4f}  {label(compared.photo)}")
    return row


def _open_photo(photo: Path) -> Image.Image:
    """Open a photo at the size of a panel; grey if it cannot be opened any more, or by the server alone."""
    try:
        return on_checkerboard(open_reduced(read_photo(photo), PANEL_PX)[0])
    except ClientError:
        return Image.new("RGB", (PANEL_PX, PANEL_PX), "grey")


def _write(image: Image.Image, left_top: tuple[int, int], text: str) -> None:
    ImageDraw.Draw(image).text(left_top, text, fill="black", font=ImageFont.load_default())
