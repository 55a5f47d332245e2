"""Folders of photos and masks as arrays, checked, and split by a fixed rule."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
TRIMAP_TARGETS = {1: 255, 2: 0, 3: 128}  # Oxford-IIIT Pet: pet, background, not classified


@dataclass(frozen=True)
class Sample:
    """A photo and what is known of each of its pixels.

    photo: RGB
    target: mode L, as large as the photo; 255 object, 0 background, 128 not classified
    """

    name: str
    photo: Image.Image
    target: Image.Image


def load(photos: Path, masks: Path) -> list[Sample]:
    """Read every photo that has a mask of its own name, in the order of their names.

    raises: FileNotFoundError when no pair is found, ValueError when a pair is not of one size
    """
    pairs = [(p, masks / f"{p.stem}.png") for p in sorted(photos.iterdir()) if p.suffix.lower() in PHOTO_SUFFIXES]
    samples = [_read(photo, mask) for photo, mask in pairs if mask.exists()]
    if not samples:
        raise FileNotFoundError(f"no photo in {photos} has a mask of its name in {masks}")
    return samples


def held_out(name: str) -> bool:
    """Tell whether a photo is kept for validation: one in ten, by the CRC-32 of its name alone."""
    return zlib.crc32(name.encode()) % 10 == 0


def split(samples: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Part the samples for training from those held out."""
    return [s for s in samples if not held_out(s.name)], [s for s in samples if held_out(s.name)]


def _read(photo: Path, mask: Path) -> Sample:
    with Image.open(photo) as image, Image.open(mask) as trimap:
        rgb = ImageOps.exif_transpose(image).convert("RGB")
        if rgb.size != trimap.size:
            raise ValueError(f"{photo.name} is {rgb.size} and its mask {trimap.size}")
        lookup = np.full(256, 128, np.uint8)
        for value, target in TRIMAP_TARGETS.items():
            lookup[value] = target
        return Sample(photo.stem, rgb, Image.fromarray(lookup[np.asarray(trimap)]))
