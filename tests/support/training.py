"""Helpers of the training pipeline's tests: drawn photos with masks, and a check of failed commands."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.training import card_options

CARD = ["--mean", "0", "--std", "1", "--classes", "background,red,blue", "--name", "discs", "--version", "7"]

RunCommand = Callable[..., "subprocess.CompletedProcess[str]"]


def draw(folder: Path, count: int, side_px: int = 64, classes: int = 2) -> tuple[Path, Path]:
    """Draw photos of coloured discs on noise, and the mask of each.

    Args:
        folder: Where the folders `photos` and `masks` are created.
        count: Number of pairs.
        side_px: Width of each photo; the height is 8 pixels more.
        classes: 2 for trimaps with a border of 2 pixels; more for class ids.

    Returns:
        The folder of photos and the folder of masks.
    """
    photos, masks = folder / "photos", folder / "masks"
    photos.mkdir(parents=True)
    masks.mkdir()
    colours = [(230, 60, 50), (60, 90, 230), (60, 220, 80)]
    for i in range(count):
        rng = np.random.default_rng(i)
        noise = rng.integers(60, 140, (8, 8, 3), np.uint8)
        photo = Image.fromarray(noise).resize((side_px, side_px + 8), Image.Resampling.BICUBIC)
        mask = Image.new("L", photo.size, 2 if classes == 2 else 0)
        x, y = rng.integers(side_px // 4, 3 * side_px // 4, 2).tolist()
        radius = int(rng.integers(side_px // 6, side_px // 3))
        disc = (x - radius, y - radius, x + radius, y + radius)
        class_id = 1 + i % (classes - 1)
        ImageDraw.Draw(photo).ellipse(disc, colours[class_id - 1])
        ImageDraw.Draw(mask).ellipse(disc, class_id, outline=3 if classes == 2 else class_id, width=2)
        photo.save(photos / f"{'round' if i % 3 else 'other'}_{i}.jpg", quality=95)
        mask.save(masks / f"{'round' if i % 3 else 'other'}_{i}.png")
    return photos, masks


def write_pairs(folder: Path, *masks: Image.Image | list[list[int]] | NDArray[np.uint8]) -> tuple[Path, Path]:
    """Write a photo of 4 x 2 pixels for each mask, and the masks.

    Args:
        folder: Where the folders `photos` and `masks` are created.
        masks: Images, or rows of pixel values from 0 to 255.

    Returns:
        The folder of photos and the folder of masks. The files are named 0.png, 1.png and so on.
    """
    (folder / "photos").mkdir()
    (folder / "masks").mkdir()
    for i, mask in enumerate(masks):
        Image.new("RGB", (4, 2), (i, i, i)).save(folder / "photos" / f"{i}.png")
        image = mask if isinstance(mask, Image.Image) else Image.fromarray(np.array(mask, np.uint8))
        image.save(folder / "masks" / f"{i}.png")
    return folder / "photos", folder / "masks"


def error_line(completed: subprocess.CompletedProcess[str]) -> str:
    """Assert that a command failed with code 1 and one line on stderr.

    Returns:
        That line, without the prefix "error: ".
    """
    lines = completed.stderr.strip().splitlines()
    assert completed.returncode == 1, completed
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")


def parse_card_options(*options: object) -> argparse.Namespace:
    """Parse options of the card."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    card_options.add_arguments(parser)
    return parser.parse_args([str(option) for option in options])


def train_arguments(folders: tuple[Path, Path], out: Path, *options: object) -> list[str]:
    """Return the arguments of the command `train` for small photos, with further options."""
    photos, masks = folders
    arguments = ["--photos", photos, "--masks", masks, "--out", out, "--size", 64, "--every", 2, *options]
    return [str(argument) for argument in arguments]
