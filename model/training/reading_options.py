"""The options of describe that compare readings of a photo, and what they print and draw."""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model.tflite import loading
from model.tflite.card import ModelCard
from model.training import cli
from model.training.cli import CommandError
from model.training.data import masks
from model.training.measure import contact_sheet, readings
from model.training.measure.model_input import read_pixels
from model.training.measure.readings import Ids, Pixels, RankedReading

SIDE_PX = 384  # of the photos that are compared
PRINTED = 8
OVERRIDDEN = ("preprocess", "order", "mean", "std", "fit")  # options for the values that a reading states
NEAR = 0.02  # difference of scores below which two readings are not told apart


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command's parser."""
    group = parser.add_argument_group("readings", "compare the masks that each plausible preprocessing gives")
    group.add_argument("--photo", type=Path, nargs="+", metavar="PHOTO", help="photos; several make the ranking better")
    group.add_argument(
        "--mask", type=Path, nargs="+", metavar="MASK", help="the true mask of each photo, which decides"
    )
    group.add_argument("--picture", type=Path, metavar="FILE.png", help="default: MODEL-readings.png beside the model")


def check(args: argparse.Namespace) -> None:
    """Raise CommandError if the options contradict each other."""
    if args.mask and not args.photo:
        raise CommandError("--mask needs --photo, the photo that it belongs to")
    if args.mask and len(args.mask) != len(args.photo):
        raise CommandError(f"there are {len(args.photo)} photos and {len(args.mask)} masks; state one mask per photo")
    stated = [f"--{name}" for name in OVERRIDDEN if getattr(args, name, None) is not None]
    if args.photo and args.write and stated:
        raise CommandError(f"--photo with --write embeds the best reading; leave out {', '.join(stated)}, or --photo")


def compare(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Compare the readings and write their picture.

    Args:
        args: The command line.

    Returns:
        The ranking as lines of text, and the card's values of the best reading.

    Raises:
        CommandError: If a photo or a mask cannot be read or they do not match.
        ModelRejected: If the model cannot be served.
    """
    photos = [read_photo(file) for file in args.photo]
    with cli.silence_native_output():
        model = loading.load(args.model, 1)
    truths = [read_truth(file, photo) for file, photo in zip(args.mask or [], photos, strict=False)]
    for file, truth in zip(args.mask or [], truths, strict=True):
        if truth[truth != masks.UNLABELLED].max(initial=0) >= len(model.card.labels):
            raise CommandError(
                f"{file} has class ids that {args.model.name}, of {len(model.card.labels)} classes, lacks"
            )
    ranked = readings.rank(
        model, photos, truths or [None] * len(photos), lambda all_: cli.progress(all_, "comparing readings")
    )
    picture = args.picture or args.model.with_name(f"{args.model.stem}-readings.png")
    with io.BytesIO() as stream:
        draw(ranked, photos, model.card).save(stream, "PNG")
        cli.write_atomic(picture, stream.getvalue())
    best = ranked[0].reading.values
    if model.input.channels == 1:
        best = {**best, "mean": best["mean"][:1], "std": best["std"][:1]}
    return text(ranked, picture, bool(truths)), best


def read_photo(file: Path) -> Pixels:
    """Read a photo at SIDE_PX; raise CommandError if it cannot be decoded."""
    image = Image.fromarray(read_pixels(file, (SIDE_PX, SIDE_PX)))
    image.thumbnail((SIDE_PX, SIDE_PX))
    return np.asarray(image)


def read_truth(file: Path, photo: Pixels) -> Ids:
    """Read a mask at a photo's size; raise CommandError if it cannot be read."""
    try:
        values = masks.read_values(file)
        ids = masks.to_class_ids(values, masks.detect_format([file]))
    except (OSError, ValueError, SyntaxError) as error:
        raise CommandError(f"{file}: {error}") from error
    size_wh = photo.shape[1], photo.shape[0]
    return np.asarray(Image.fromarray(ids).resize(size_wh, Image.Resampling.NEAREST))


def draw(ranked: Sequence[RankedReading], photos: Sequence[Pixels], card: ModelCard) -> Image.Image:
    """Draw the photos, and the masks of each reading on them."""
    strips = [[(photo, "photo") for photo in photos]]
    for number, each in enumerate(ranked, 1):
        caption = f"{number}. {each.reading.name} {each.score:.3f}"
        tiles = [contact_sheet.overlay(photo, mask, card) for photo, mask in zip(photos, each.masks, strict=True)]
        strips.append([(tile, caption) for tile in tiles])
    return contact_sheet.draw(strips)


def text(ranked: Sequence[RankedReading], picture: Path, has_truth: bool) -> str:
    """Return the ranking as lines of text."""
    measure = "IoU with the mask" if has_truth else "stability of the mask"
    lines = [f"readings of the photo by {measure}:"]
    for number, each in enumerate(ranked[:PRINTED], 1):
        values = ", ".join(f"{name} {_plain(value)}" for name, value in each.reading.values.items())
        lines.append(f"  {number}. {each.score:.3f} {each.reading.name} ({values})")
    near = [each.reading.name for each in ranked[1:] if ranked[0].score - each.score < NEAR]
    if near:
        lines.append(f"within {NEAR} of the best: {', '.join(near)}")
    if not has_truth:
        lines.append("without --mask this ranking is a hint: look at the masks in the picture, and try several photos")
    lines.append(f"masks of all {len(ranked)} readings: {picture}; --write embeds the first reading")
    return "\n".join(lines)


def _plain(value: object) -> str:
    """Return a value of a card in short, one number for three equal ones."""
    if isinstance(value, tuple):
        return " ".join(f"{number:g}" for number in (value[:1] if len(set(value)) == 1 else value))
    return str(value)
