"""The outputs that a request can ask for, one function for each.

Each function takes the segmented photo, the options of the request and the model's card. It computes the output and
returns a function without arguments that encodes it, so that the two steps can be timed apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import BadOption
from model.image import encode, resize
from model.image.score_map import ScoreMap
from model.options import Options
from model.tflite.card import ModelCard

TINT_WEIGHT = 128  # of the class's colour in an overlay, of 255
STRIP_PX = 1 << 16  # pixels tinted at once: what is held in between stays in the processor's cache

Encoder = Callable[[], bytes]


class SegmentedPhoto(NamedTuple):
    """A photo and its scores.

    Attributes:
        shown: uint8 (H', W', 3) RGB, or (H', W', 4) with the photo's own alpha: the photo as it is to be shown.
        scores: The model's scores of it.
        size_wh: Width and height that the output is to have.
        dpi: Resolution of the photo in dots per inch; None if unknown.
    """

    shown: NDArray[np.uint8]
    scores: ScoreMap
    size_wh: tuple[int, int]
    dpi: tuple[float, float] | None = None


class Output(NamedTuple):
    """One output.

    Attributes:
        render: Its function.
        content_type: Media type of the encoded output, unless the options choose it.
        shows_photo: Whether the photo's own pixels are part of it; then the photo is decoded at full size, and the
            options choose the file format.
    """

    render: Callable[[SegmentedPhoto, Options, ModelCard], Encoder]
    content_type: str = "image/png"
    shows_photo: bool = False


def mask(photo: SegmentedPhoto, options: Options, card: ModelCard) -> Encoder:
    """Render a 1-bit mask of one class, or of the object; for more than two classes, a palette image of class ids."""
    scores, class_id = photo.scores, options.class_id
    if class_id is None and len(card.labels) > 2:
        return partial(encode.palette_png, scores.class_ids(photo.size_wh, options.threshold), card.palette)
    class_id = scores.object_id if class_id is None else class_id
    return partial(encode.binary_png, scores.packed(photo.size_wh, options.threshold, class_id), photo.size_wh[0])


def probability(photo: SegmentedPhoto, options: Options, card: ModelCard) -> Encoder:
    """Render the probability of one class, or of all but the background, as greyscale."""
    return partial(encode.grey_png, photo.scores.probability(photo.size_wh, options.class_id))


def overlay(photo: SegmentedPhoto, options: Options, card: ModelCard) -> Encoder:
    """Render the photo, with one class, or every class but the background, tinted in its colour."""
    ids = photo.scores.class_ids(photo.size_wh, options.threshold)
    if options.class_id is None:
        tinted = np.arange(len(card.palette)) != card.background
    else:
        tinted = np.arange(len(card.palette)) == options.class_id
    pixels = resize.bilinear(photo.shown, photo.size_wh)
    return _photo_encoder(photo, options, _tinted_strips(pixels, ids, _tint_table(np.array(card.palette), tinted)))


def cutout(photo: SegmentedPhoto, options: Options, card: ModelCard) -> Encoder:
    """Render the photo, transparent outside one class, or where the background is, and where it was before."""
    alpha = photo.scores.alpha(photo.size_wh, options.threshold, options.class_id)
    return _photo_encoder(photo, options, _cut_strips(resize.bilinear(photo.shown, photo.size_wh), alpha))


def summary(photo: SegmentedPhoto, options: Options, card: ModelCard) -> Encoder:
    """Describe one class, or each, as JSON.

    The JSON is {"size": [W, H], "classes": [{"id", "name", "share": of the pixels, 0 to 1,
    "bbox": [x, y, width, height] or null, "rle": {"size": [H, W], "counts": [...]}}]}. `rle` is COCO's uncompressed
    run-length encoding, which pycocotools reads (Lin et al. 2014).
    """
    ids = photo.scores.class_ids(photo.size_wh, options.threshold)

    def encoder() -> bytes:
        class_ids = range(len(card.labels)) if options.class_id is None else [options.class_id]
        classes = [_class_summary(ids == class_id, class_id, card.labels[class_id]) for class_id in class_ids]
        return json.dumps({"size": list(photo.size_wh), "classes": classes}).encode()

    return encoder


OUTPUTS = {
    "mask": Output(mask),
    "probability": Output(probability),
    "overlay": Output(overlay, shows_photo=True),
    "cutout": Output(cutout, shows_photo=True),
    "json": Output(summary, "application/json"),
}


def _photo_encoder(photo: SegmentedPhoto, options: Options, strips: Iterator[NDArray[np.uint8]]) -> Encoder:
    """Return the encoder of an output that shows the photo."""
    max_side = encode.MAX_SIDE.get(options.format)
    if max_side and max(photo.size_wh) > max_side:
        raise BadOption(f"format={options.format} holds at most {max_side} pixels a side; ask for format=png")
    return partial(encode.photo, photo.size_wh, strips, options.format, photo.dpi)


def _tint_table(palette: NDArray[np.int_], tinted: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the tinted value of each byte, by channel and class.

    Args:
        palette: The colour of each class, (K, 3), 0-255.
        tinted: (K,), whether a class is tinted.

    Returns:
        uint8 (3, K, 256).
    """
    weight = np.where(tinted, TINT_WEIGHT, 0)[:, np.newaxis]
    mixed = np.arange(256) * (255 - weight) + (palette.T * weight[:, 0])[:, :, np.newaxis]
    table: NDArray[np.uint8] = ((mixed + 127) // 255).astype(np.uint8)  # rounded to nearest, as Pillow does
    return table


def _tinted_strips(
    pixels: NDArray[np.uint8], ids: NDArray[np.uint8], table: NDArray[np.uint8]
) -> Iterator[NDArray[np.uint8]]:
    """Yield the tinted image in strips of uint8 (h, W, 3), or (h, W, 4) if the photo has alpha."""
    rows = _strip_rows(ids)
    channels = [channel.ravel() for channel in table]
    for top in range(0, len(ids), rows):
        offset = ids[top : top + rows].astype(np.uint16) << 8  # of the class's row in the table
        strip = np.empty((*offset.shape, 3), np.uint8)
        for channel, values in enumerate(channels):
            strip[..., channel] = values[offset | pixels[top : top + rows, :, channel]]
        yield strip if pixels.shape[2] == 3 else _with_alpha(strip, pixels[top : top + rows, :, 3])


def _cut_strips(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield a photo with the lesser of its own alpha and another, in strips of uint8 (h, W, 4)."""
    rows = _strip_rows(alpha)
    for top in range(0, len(alpha), rows):
        strip, strip_alpha = pixels[top : top + rows], alpha[top : top + rows]
        if pixels.shape[2] == 4:
            strip_alpha = np.minimum(strip_alpha, strip[..., 3])
        yield _with_alpha(strip[..., :3], strip_alpha)


def _with_alpha(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGBA, with the colours of fully transparent pixels cleared: they would still show what was cut away."""
    rgba = np.empty((*alpha.shape, 4), np.uint8)
    np.multiply(rgb, (alpha > 0)[..., np.newaxis], out=rgba[..., :3])
    rgba[..., 3] = alpha
    return rgba


def _strip_rows(image: NDArray[np.uint8]) -> int:
    return max(1, STRIP_PX // int(image.shape[1]))


def _class_summary(inside: NDArray[np.bool_], class_id: int, label: str) -> dict[str, object]:
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    bbox = None
    if rows.size:
        x, y = int(columns[0]), int(rows[0])
        bbox = [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]
    rle = {"size": list(inside.shape), "counts": run_lengths(inside)}
    return {"id": class_id, "name": label, "share": round(float(inside.mean()), 6), "bbox": bbox, "rle": rle}


def run_lengths(inside: NDArray[np.bool_]) -> list[int]:
    """Return the lengths of the runs of equal values, column by column.

    Args:
        inside: bool (H, W).

    Returns:
        The lengths, alternately of False and True; the first is of False and may be 0.
    """
    flat = np.concatenate([[False], inside.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(n) for n in np.diff(np.concatenate([[0], changes, [inside.size]]))]
