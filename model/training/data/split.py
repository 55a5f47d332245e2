"""The fixed split of photos into parts, by the photo's name alone.

Training choices (when to stop, what to average, which seed) are made on the validation part. The test part is
evaluated once for a released model.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Literal

from model.training.cli import CommandError
from model.training.data.samples import Sample

Part = Literal["training", "validation", "test"]
PARTS: tuple[Part, ...] = ("training", "validation", "test")

# Breeds that only test photos show: of the 24 breeds that were added to the first three, the five whose names have the
# smallest CRC-32. No result influenced the choice.
TEST_BREEDS = frozenset(("american_pit_bull_terrier", "japanese_chin", "great_pyrenees", "pug", "Egyptian_Mau"))


def breed(name: str) -> str:
    """Return the breed that a photo's name begins with: "pug" for "pug_12"."""
    return name.rpartition("_")[0]


def part_of(name: str) -> Part:
    """Return the part that a photo belongs to.

    A photo of one of TEST_BREEDS is a test photo. Any other photo is assigned by the CRC-32 of its name modulo 10:
    0 is test, 1 is validation, the rest is training.

    Args:
        name: The photo's file name without its suffix.
    """
    remainder = zlib.crc32(name.encode()) % 10
    if breed(name) in TEST_BREEDS or remainder == 0:
        return "test"
    return "validation" if remainder == 1 else "training"


def select(samples: Sequence[Sample], part: Part) -> list[Sample]:
    """Return the samples of one part, in their order.

    Raises:
        CommandError: If no sample belongs to the part.
    """
    selected = [sample for sample in samples if part_of(sample.name) == part]
    if not selected:
        raise CommandError(f"none of the {len(samples)} photos belongs to the {part} part; add photos")
    return selected


def is_held_out(name: str) -> bool:
    """Return whether a photo is one of the one in ten held out of training when there are only two parts.

    These are the photos whose name's CRC-32 is a multiple of 10: the test part, except for TEST_BREEDS.
    """
    return zlib.crc32(name.encode()) % 10 == 0


def split_in_two(samples: Sequence[Sample], held_out_prefix: str | None = None) -> tuple[list[Sample], list[Sample]]:
    """Return the samples for training and those held out.

    Args:
        samples: The samples to split.
        held_out_prefix: Hold out those with this name prefix, instead of one in ten.

    Raises:
        CommandError: If one of the two is empty.
    """
    held_out: Callable[[str], bool] = is_held_out
    rule = "one photo in ten"
    if held_out_prefix:
        held_out, rule = (lambda name: name.startswith(held_out_prefix)), f"the name prefix {held_out_prefix!r}"
    parts: tuple[list[Sample], list[Sample]] = ([], [])
    for sample in samples:
        parts[held_out(sample.name)].append(sample)
    if not all(parts):
        raise CommandError(
            f"{len(parts[1])} of {len(samples)} photos are held out by {rule}; training and evaluation both need some"
        )
    return parts
