"""The fixed split of photos into training, validation and test parts, by the photo's name alone.

Training choices (when to stop, what to average, which seed) are made on the validation part. The test part is
evaluated once for a released model.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Literal

from model.training.cli import CommandError
from model.training.data.samples import Sample

Part = Literal["training", "validation", "test"]
PARTS: tuple[Part, ...] = ("training", "validation", "test")

# Breeds that no training or validation photo shows: of the 24 breeds that the bundled model's photos add to its first
# three, the five whose names have the smallest CRC-32.
TEST_BREEDS = frozenset(("american_pit_bull_terrier", "japanese_chin", "great_pyrenees", "pug", "Egyptian_Mau"))


def breed(name: str) -> str:
    """Return the breed that a photo's name begins with: "pug" for "pug_12"."""
    return name.rpartition("_")[0]


def part_of(name: str) -> Part:
    """Return the part that a photo belongs to, by its name without the suffix.

    A photo of one of TEST_BREEDS is a test photo. Every other name is assigned by its CRC-32 modulo 10: 0 is test,
    1 is validation, the rest is training.
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
