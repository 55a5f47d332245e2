"""Folders of photos and masks as pairs, checked, and split by a fixed rule."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from model.training import cli
from model.training.cli import CommandError

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
KINDS = ("auto", "trimap", "binary", "ids")
UNKNOWN = 255  # the id of pixels that nobody classified
KEPT_BYTES = 1_500_000_000  # decoded photos that stay in memory; those past it are read anew each time
LOOKED_AT = 32  # masks that tell the kind of a folder
KIND_HELP = """how masks are to be read: "trimap" (1 object, 2 background, 3 not classified), "binary" (black
background, white object), "ids" (class ids from 0, 255 not classified). "auto" looks at the values: black and white
alone are binary; 1, 2, 3 with no 0 a trimap; anything else ids"""

Ids = NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """A photo and what is known of each of its pixels; read when asked for, unless there is room to keep it.

    mask_file: None for a photo that shows no object at all
    """

    name: str
    photo_file: Path
    mask_file: Path | None
    kind: str
    kept: tuple[Image.Image, Image.Image] | None = None

    @property
    def photo(self) -> Image.Image:
        """The photo, RGB, upright."""
        return self.kept[0] if self.kept else _photo(self.photo_file)

    @property
    def ids(self) -> Image.Image:
        """Class ids as an image of mode L, as large as the photo; UNKNOWN where nobody classified."""
        if self.kept:
            return self.kept[1]
        if self.mask_file is None:
            return Image.new("L", self.photo.size, 0)
        return Image.fromarray(to_ids(_values(self.mask_file), self.kind))


@dataclass(frozen=True)
class Folder:
    """What a look through a folder found.

    kind: of its masks, never "auto"
    classes: the highest class id plus one, at least 2
    broken: a line for each pair that cannot be used
    unpaired: photos that have no mask
    """

    samples: list[Sample]
    kind: str
    classes: int
    broken: list[str]
    unpaired: list[str]


def look_through(photos: Path, masks: Path, kind: str = "auto") -> Folder:
    """Read every photo that has a mask of its own name, in the order of their names.

    kind: one of KINDS
    raises: CommandError when there is no pair, or the kind cannot be told
    """
    for folder in (photos, masks):
        if not folder.is_dir():
            raise CommandError(f"there is no folder {folder}")
    files = [p for p in sorted(photos.iterdir()) if p.suffix.lower() in PHOTO_SUFFIXES and p.name[0] != "."]
    pairs = [(photo, masks / f"{photo.stem}.png") for photo in files]
    unpaired = [photo.name for photo, mask in pairs if not mask.exists()]
    pairs = [(photo, mask) for photo, mask in pairs if mask.exists()]
    if not pairs:
        raise CommandError(f"no photo in {photos} has a mask of its name (NAME.png) in {masks}")
    if kind == "auto":
        kind = tell_kind(mask for _, mask in pairs[:: max(1, len(pairs) // LOOKED_AT)])
    samples, broken, highest, room = [], [], 1, KEPT_BYTES
    for photo, mask in cli.progress(pairs, "reading"):
        try:
            images = _pair(photo, mask, kind)
        except (OSError, ValueError, SyntaxError) as error:  # Pillow raises SyntaxError for broken PNGs
            broken.append(f"{photo.name}: {cli.one_line(str(error))}")
            continue
        ids = np.asarray(images[1])
        highest = max(highest, int(ids[ids != UNKNOWN].max(initial=0)))
        room -= 4 * ids.size
        samples.append(Sample(photo.stem, photo, mask, kind, images if room > 0 else None))
    return Folder(samples, kind, highest + 1, broken, unpaired)


def load(photos: Path, masks: Path, kind: str = "auto", skip_broken: bool = False) -> Folder:
    """Look through a folder that is to be used.

    raises: CommandError when no pair is whole, or when one is broken and those are not to be skipped
    """
    folder = look_through(photos, masks, kind)
    if folder.broken and not (skip_broken and folder.samples):
        count = len(folder.broken) + len(folder.samples)
        raise CommandError(
            f"{len(folder.broken)} of {count} pairs are broken (--skip-broken goes on without): {folder.broken[0]}"
        )
    return folder


def without_object(photos: Path) -> list[Sample]:
    """Take every photo of a folder as one that shows no object.

    raises: CommandError when there is none, or one cannot be read
    """
    samples, room = [], KEPT_BYTES
    for file in photo_files(photos):
        try:
            photo = _photo(file)
        except (OSError, SyntaxError) as error:
            raise CommandError(f"{file.name}: {error}") from error
        room -= 4 * photo.width * photo.height
        kept = (photo, Image.new("L", photo.size, 0)) if room > 0 else None
        samples.append(Sample(file.stem, file, None, "ids", kept))
    return samples


def photo_files(folder: Path) -> list[Path]:
    """List the photos of a folder by name.

    raises: CommandError when there is none
    """
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES) if folder.is_dir() else []
    if not found:
        raise CommandError(f"there are no photos ({', '.join(sorted(PHOTO_SUFFIXES))}) in {folder}")
    return found


def held_out(name: str) -> bool:
    """Tell whether a photo is kept for validation: one in ten, by the CRC-32 of its name alone."""
    return zlib.crc32(name.encode()) % 10 == 0


def split(samples: Sequence[Sample], leave_out: str | None = None) -> tuple[list[Sample], list[Sample]]:
    """Part the samples for training from those held out.

    leave_out: hold out those whose name begins so, instead of one in ten
    raises: CommandError when either part is empty
    """
    out = [s.name.startswith(leave_out) if leave_out else held_out(s.name) for s in samples]
    parts = [s for s, o in zip(samples, out, strict=True) if not o], [s for s, o in zip(samples, out, strict=True) if o]
    if not all(parts):
        rule = f"whose name begins with {leave_out!r}" if leave_out else "held out by the rule of one in ten"
        raise CommandError(f"{len(parts[1])} of {len(samples)} photos are those {rule}; some must be, and some not")
    return parts


def tell_kind(masks: Iterable[Path]) -> str:
    """Tell the kind of masks by the values in them, as KIND_HELP says.

    raises: CommandError when they are shades of grey
    """
    seen: set[int] = set()
    for mask in masks:
        try:
            seen |= set(np.unique(_values(mask)).tolist())
        except (OSError, ValueError, SyntaxError):
            continue  # the look through the folder reports it
    if seen <= {0, 255}:
        return "binary"
    if seen <= {1, 2, 3}:
        return "trimap"
    if len(seen) > 64 and UNKNOWN in seen:
        raise CommandError(f"the masks have {len(seen)} different values, shades of grey it seems; say --kind")
    return "ids"


def to_ids(values: Ids, kind: str) -> Ids:
    """Turn a mask's values into class ids.

    values: uint8 (H, W)
    returns: uint8 (H, W), UNKNOWN where nobody classified
    raises: ValueError naming a value that the kind does not have
    """
    if kind == "binary":
        return (values >= 128).view(np.uint8)
    if kind == "trimap":
        if not 1 <= values.min() <= values.max() <= 3:
            raise ValueError(f"a trimap has the values 1, 2 and 3, not {values.min()} to {values.max()}")
        return np.array([0, 1, 0, UNKNOWN], np.uint8)[values]
    return values


def _pair(photo: Path, mask: Path, kind: str) -> tuple[Image.Image, Image.Image]:
    image, ids = _photo(photo), to_ids(_values(mask), kind)
    if image.size != ids.shape[::-1]:
        raise ValueError("the photo is {} x {} and its mask {} x {}".format(*image.size, *ids.shape[::-1]))
    return image, Image.fromarray(ids)


def _photo(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def _values(file: Path) -> Ids:
    """Read a mask's values as they are stored: grey, black and white, or the indices of a palette."""
    with Image.open(file) as image:
        if image.mode == "1":
            return np.asarray(image.convert("L"))
        if image.mode in ("L", "P"):
            return np.asarray(image)
        if image.mode in ("RGB", "RGBA", "LA"):
            channels = np.asarray(image.convert("RGB"))
            if (channels == channels[..., :1]).all():
                return np.ascontiguousarray(channels[..., 0])
        raise ValueError(f"the mask is of mode {image.mode}: ids must be in one channel of 8 bits")
