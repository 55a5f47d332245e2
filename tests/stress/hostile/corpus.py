"""The corpus of hostile bodies: crafted ones, truncated photos and photos with flipped bits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

from tests.stress.hostile.bombs import bombs
from tests.stress.hostile.case import Case, photo_case
from tests.stress.hostile.forms import forms
from tests.stress.hostile.photos import FORMATS, sample_photo

FLIPPED_BITS = (1, 1, 2, 4, 16, 64)  # in one photo


def corpus(count: int, seed: int) -> Iterator[Case]:
    """Yield hostile bodies in random order: all crafted ones, then truncations and flipped bits in equal parts.

    Args:
        count: Number of bodies.
        seed: Seed of the random choices.
    """
    rng = random.Random(seed)
    crafted = list(islice([*bombs(), *forms()], count))
    truncated = list(truncations())
    remaining = count - len(crafted)
    damaged = [*rng.sample(truncated, min(len(truncated), (remaining + 1) // 2))]
    damaged += islice(flips(rng), remaining - len(damaged))
    cases = [*crafted, *damaged]
    rng.shuffle(cases)
    yield from cases


def truncations() -> Iterator[Case]:
    """Yield a photo in each format, truncated at each percent of its length."""
    for name in FORMATS:
        photo = sample_photo(name)
        for percent in range(1, 100):
            yield photo_case(f"{name} truncated at {percent} %", photo[: len(photo) * percent // 100])


def flips(rng: random.Random) -> Iterator[Case]:
    """Yield photos with flipped bits without end; in half of them, all in the first tenth, where the headers are."""
    while True:
        for name in FORMATS:
            photo = bytearray(sample_photo(name))
            bits = rng.choice(FLIPPED_BITS)
            end = max(64, len(photo) // 10) if rng.random() < 0.5 else len(photo)
            for _ in range(bits):
                photo[rng.randrange(end)] ^= 1 << rng.randrange(8)
            yield photo_case(f"{name} with {bits} of its first {8 * end} bits flipped", bytes(photo))
