"""The whole corpus: all that is made by hand, every truncation, and flipped bits without end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

from .bombs import bombs
from .case import Case, of_photo
from .forms import forms
from .photos import FORMATS, good

FLIPS = (1, 1, 2, 4, 16, 64)  # bits in one photo


def cases(count: int, seed: int) -> Iterator[Case]:
    """Give a number of cases: all that are made by hand, and of truncations and flipped bits half each."""
    chance = random.Random(seed)
    by_hand = list(islice([*bombs(), *forms()], count))
    cuts = list(truncations())
    left = count - len(by_hand)
    damaged = [*chance.sample(cuts, min(len(cuts), (left + 1) // 2))]
    damaged += islice(flips(chance), left - len(damaged))
    together = [*by_hand, *damaged]
    chance.shuffle(together)
    yield from together


def truncations() -> Iterator[Case]:
    """Cut each format at every percent."""
    for name in FORMATS:
        photo = good(name)
        for percent in range(1, 100):
            yield of_photo(f"{name} cut at {percent} %", photo[: len(photo) * percent // 100])


def flips(chance: random.Random) -> Iterator[Case]:
    """Flip bits of each format in turn, half of the time all in its first tenth, where the headers are."""
    while True:
        for name in FORMATS:
            photo = bytearray(good(name))
            bits = chance.choice(FLIPS)
            end = max(64, len(photo) // 10) if chance.random() < 0.5 else len(photo)
            for _ in range(bits):
                photo[chance.randrange(end)] ^= 1 << chance.randrange(8)
            yield of_photo(f"{name} with {bits} of its first {8 * end} bits flipped", bytes(photo))
