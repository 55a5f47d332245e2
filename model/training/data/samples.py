"""Folders of photos and masks, read and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from model.training import cli
from model.training.cli import CommandError
from model.training.data import masks
from model.training.data.masks import UNLABELLED

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
CACHE_BYTES = 1_500_000_000  # of a folder's decoded photos and masks; the others are decoded on each access
FORMAT_PROBES = 32  # masks that are read to detect a folder's format


@dataclass(frozen=True)
class Sample:
    """A photo and the class ids of its pixels.

    Attributes:
        name: The photo's file name without its suffix.
        photo_file: The photo.
        mask_file: Its mask; None for a photo without an object.
        mask_format: One of `masks.FORMATS` except "auto".
        cached: The decoded photo and class ids; None if they are decoded on each access.
    """

    name: str
    photo_file: Path
    mask_file: Path | None
    mask_format: str
    cached: tuple[Image.Image, Image.Image] | None = None

    @property
    def photo(self) -> Image.Image:
        """The photo, RGB, upright."""
        return self.cached[0] if self.cached else _read_photo(self.photo_file)

    @property
    def ids(self) -> Image.Image:
        """The class ids, mode L, of the photo's size; UNLABELLED where the mask has no label."""
        if self.cached:
            return self.cached[1]
        if self.mask_file is None:
            return Image.new("L", self.photo.size, 0)
        return Image.fromarray(masks.to_class_ids(masks.read_values(self.mask_file), self.mask_format))


@dataclass(frozen=True)
class Dataset:
    """The pairs of photo and mask in two folders.

    Attributes:
        samples: The valid pairs, in the order of their names.
        mask_format: Of the masks; never "auto".
        classes: The highest class id plus one, at least 2.
        broken: For each pair that is invalid, the photo's name and the reason, in one line.
        without_mask: The names of the photos that have no mask.
    """

    samples: list[Sample]
    mask_format: str
    classes: int
    broken: list[str]
    without_mask: list[str]


def scan(photo_folder: Path, mask_folder: Path, mask_format: str = "auto") -> Dataset:
    """Read every photo that has a mask of the same name.

    Args:
        photo_folder: Photos.
        mask_folder: For each photo a mask, NAME.png.
        mask_format: One of `masks.FORMATS`.

    Raises:
        CommandError: If a folder is missing, there is no pair, or the format cannot be detected.
    """
    for folder in (photo_folder, mask_folder):
        if not folder.is_dir():
            raise CommandError(f"there is no folder {folder}")
    files = [file for file in sorted(photo_folder.iterdir()) if _is_photo(file)]
    pairs = [(file, mask_folder / f"{file.stem}.png") for file in files]
    without_mask = [photo.name for photo, mask in pairs if not mask.exists()]
    pairs = [(photo, mask) for photo, mask in pairs if mask.exists()]
    if not pairs:
        raise CommandError(f"no photo in {photo_folder} has a mask of its name (NAME.png) in {mask_folder}")
    if mask_format == "auto":
        mask_format = masks.detect_format(mask for _, mask in pairs[:: max(1, len(pairs) // FORMAT_PROBES)])
    samples, broken, highest, free_bytes = [], [], 1, CACHE_BYTES
    for photo, mask in cli.progress(pairs, "reading"):
        try:
            images = _read_pair(photo, mask, mask_format)
        except (OSError, ValueError, SyntaxError) as error:  # Pillow raises SyntaxError for invalid PNGs
            broken.append(f"{photo.name}: {cli.one_line(str(error))}")
            continue
        highest = max(highest, _highest_id(images[1]))
        free_bytes -= _decoded_bytes(images[0])
        samples.append(Sample(photo.stem, photo, mask, mask_format, images if free_bytes > 0 else None))
    return Dataset(samples, mask_format, highest + 1, broken, without_mask)


def load(photo_folder: Path, mask_folder: Path, mask_format: str = "auto", skip_broken: bool = False) -> Dataset:
    """Read the pairs of two folders, as `scan` does, for training or evaluation.

    Raises:
        CommandError: If `scan` raises it, if a pair is invalid and skip_broken is false, or if no pair is valid.
    """
    dataset = scan(photo_folder, mask_folder, mask_format)
    if dataset.broken and not (skip_broken and dataset.samples):
        count = len(dataset.broken) + len(dataset.samples)
        raise CommandError(
            f"{len(dataset.broken)} of {count} pairs are broken (--skip-broken ignores them): {dataset.broken[0]}"
        )
    return dataset


def load_all(
    photo_folders: Sequence[Path], mask_folders: Sequence[Path], mask_format: str = "auto", skip_broken: bool = False
) -> Dataset:
    """Read several folders of photos, each with its folder of masks, as one dataset.

    Args:
        photo_folders: Photos.
        mask_folders: Their masks, in the same order.
        mask_format: One of `masks.FORMATS`, for all folders; "auto" detects it for each.
        skip_broken: Whether invalid pairs are ignored.

    Returns:
        The samples of all folders; its mask_format is the first folder's.

    Raises:
        CommandError: If the numbers of folders differ, a name is in several folders, or `load` raises it.
    """
    if len(photo_folders) != len(mask_folders):
        raise CommandError(f"--photos has {len(photo_folders)} folders and --masks {len(mask_folders)}; give as many")
    datasets = [load(*pair, mask_format, skip_broken) for pair in zip(photo_folders, mask_folders, strict=True)]
    names = Counter(name for dataset in datasets for name in {sample.name for sample in dataset.samples})
    name, folders = names.most_common(1)[0]
    if folders > 1:
        raise CommandError(f"{name} is in {folders} folders; a name identifies a photo, so rename the others")
    return Dataset(
        [sample for dataset in datasets for sample in dataset.samples],
        datasets[0].mask_format,
        max(dataset.classes for dataset in datasets),
        [line for dataset in datasets for line in dataset.broken],
        [name for dataset in datasets for name in dataset.without_mask],
    )


def load_negatives(folder: Path) -> list[Sample]:
    """Return the photos of a folder as samples without an object.

    Raises:
        CommandError: If the folder has no photo, or a photo cannot be read.
    """
    samples, free_bytes = [], CACHE_BYTES
    for file in photo_files(folder):
        try:
            photo = _read_photo(file)
        except (OSError, SyntaxError) as error:
            raise CommandError(f"{file.name}: {error}") from error
        free_bytes -= _decoded_bytes(photo)
        cached = (photo, Image.new("L", photo.size, 0)) if free_bytes > 0 else None
        samples.append(Sample(file.stem, file, None, "ids", cached))
    return samples


def photo_files(folder: Path) -> list[Path]:
    """Return the photos of a folder, sorted by name.

    Raises:
        CommandError: If there is none.
    """
    files = [file for file in sorted(folder.iterdir()) if _is_photo(file)] if folder.is_dir() else []
    if not files:
        raise CommandError(f"there are no photos ({', '.join(sorted(PHOTO_SUFFIXES))}) in {folder}")
    return files


def _is_photo(file: Path) -> bool:
    return file.suffix.lower() in PHOTO_SUFFIXES and not file.name.startswith(".")


def _read_pair(photo_file: Path, mask_file: Path, mask_format: str) -> tuple[Image.Image, Image.Image]:
    photo, ids = _read_photo(photo_file), masks.to_class_ids(masks.read_values(mask_file), mask_format)
    if photo.size != ids.shape[::-1]:
        raise ValueError("the photo is {} x {} and its mask {} x {}".format(*photo.size, *ids.shape[::-1]))
    return photo, Image.fromarray(ids)


def _read_photo(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def _highest_id(ids: Image.Image) -> int:
    values = np.asarray(ids)
    return int(values[values != UNLABELLED].max(initial=0))


def _decoded_bytes(photo: Image.Image) -> int:
    """Return the memory of a decoded photo and its class ids."""
    return 4 * photo.width * photo.height
