"""Masks and scores as what a caller gets: PNG, overlay, cutout, JSON."""

from __future__ import annotations

import io
import json
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.tflite.card import ModelCard

MASK_LEVEL, PHOTO_LEVEL = 3, 1  # zlib's: beyond these a PNG takes long and shrinks little
TINT = 0.5  # how much of an overlay's pixel is the colour of its class
STRIP_PX = 1 << 20  # what is tinted at once


def binary_png(bits: NDArray[np.uint8], width: int) -> bytes:
    """Write a mask of two classes.

    bits: uint8 (H, width / 8 rounded up), the first pixel in the highest bit
    returns: a 1-bit PNG (https://www.w3.org/TR/png-3/), white where the mask is 1; written here, since Pillow
        takes five times as long to pack and filter the bits of a large one
    """
    height, row_bytes = bits.shape
    rows = np.zeros((height, 1 + row_bytes), np.uint8)  # each begins with its filter: 0, none
    rows[:, 1:] = bits
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)  # 1 bit, grey, no interlacing
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), MASK_LEVEL)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def palette_png(mask: NDArray[np.uint8], card: ModelCard) -> bytes:
    """Write a mask of many classes.

    mask: uint8 (H, W) class ids
    returns: a palette PNG whose pixel values are the class ids
    """
    image = Image.fromarray(mask, "L")
    image.putpalette([value for colour in card.palette for value in colour])
    return _png(image, MASK_LEVEL)


def grey_png(probability: NDArray[np.uint8]) -> bytes:
    """Write uint8 (H, W) as an 8-bit greyscale PNG."""
    return _png(Image.fromarray(probability), MASK_LEVEL)


def overlay_png(pixels: NDArray[np.uint8], mask: NDArray[np.uint8], card: ModelCard, class_id: int | None) -> bytes:
    """Tint one class, or every class but the background, in its colour.

    pixels: uint8 (H, W, 3) RGB
    mask: uint8 (H, W) class ids
    returns: an RGB PNG
    """
    colours = np.array(card.palette, np.uint8)
    shown = np.arange(len(colours)) != card.background if class_id is None else np.arange(len(colours)) == class_id
    weight = np.where(shown, round(255 * TINT), 0).astype(np.uint8)
    height, width = mask.shape
    overlay = Image.new("RGB", (width, height))
    rows = max(1, STRIP_PX // width)
    for top in range(0, height, rows):  # in strips: the tint and the weight of all would be a photo more each
        ids = mask[top : top + rows]
        photo, tint = Image.fromarray(pixels[top : top + rows]), Image.fromarray(colours[ids])
        overlay.paste(Image.composite(tint, photo, Image.fromarray(weight[ids])), (0, top))
    return _png(overlay, PHOTO_LEVEL)


def cutout_png(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> bytes:
    """Clear the background.

    pixels: uint8 (H, W, 3) RGB
    alpha: uint8 (H, W), 255 where the photo stays
    returns: an RGBA PNG
    """
    return _png(Image.fromarray(np.dstack([pixels, alpha])), PHOTO_LEVEL)


def summary_json(mask: NDArray[np.uint8], card: ModelCard, class_id: int | None) -> bytes:
    """Describe one class of a mask, or each: share of the pixels, bounding box, COCO run lengths.

    mask: uint8 (H, W) class ids
    returns: {"size": [W, H], "classes": [{"id", "name", "share" 0 to 1, "bbox" [x, y, width, height] or null,
        "rle": {"size": [H, W], "counts": [...]}}]}; the run lengths go down the columns and begin with
        zeros, as pycocotools reads them uncompressed (Lin et al. 2014, COCO)
    """
    height, width = mask.shape
    ids = range(len(card.labels)) if class_id is None else [class_id]
    classes = [_class_summary(mask == number, number, card.labels[number]) for number in ids]
    return json.dumps({"size": [width, height], "classes": classes}).encode()


def _class_summary(inside: NDArray[np.bool_], class_id: int, label: str) -> dict[str, object]:
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    box = None
    if rows.size:
        x, y = int(columns[0]), int(rows[0])
        box = [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]
    rle = {"size": list(inside.shape), "counts": run_lengths(inside)}
    return {"id": class_id, "name": label, "share": round(float(inside.mean()), 6), "bbox": box, "rle": rle}


def run_lengths(inside: NDArray[np.bool_]) -> list[int]:
    """Count the runs of equal values down the columns, first those of False, perhaps none."""
    flat = np.concatenate([[False], inside.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(n) for n in np.diff(np.concatenate([[0], changes, [inside.size]]))]


def _png(image: Image.Image, level: int) -> bytes:
    with io.BytesIO() as file:
        image.save(file, "PNG", compress_level=level)
        return file.getvalue()
