"""Fuzzing without coverage, for machines without atheris: the seeds, and random mutations of them."""

from __future__ import annotations

import random

from tests.stress.fuzz.targets import Target

MAX_BYTES = 65_536
EXTREME_VALUES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\r\n\r\n")


def fuzz(target: Target, runs: int, seed: int) -> None:
    """Run a target on its seeds, and on mutations of them.

    Args:
        target: The target.
        runs: Number of mutations.
        seed: Seed of the random mutations.
    """
    rng = random.Random(seed)
    inputs = target.seeds()
    for data in inputs:
        target.run(data)
    for _ in range(runs):
        data = mutate(rng.choice(inputs), rng)
        target.run(data)
        if rng.random() < 0.05:
            inputs.append(data)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return a copy with a few random changes: bytes overwritten, inserted, deleted, repeated, or the end cut off."""
    mutated = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        offset = rng.randrange(len(mutated) + 1)
        piece = rng.randbytes(rng.choice((1, 1, 2, 4)))
        match rng.randrange(6):
            case 0:
                mutated[offset : offset + len(piece)] = piece
            case 1:
                mutated[offset:offset] = piece
            case 2:
                del mutated[offset : offset + rng.choice((1, 2, 4, 64))]
            case 3:
                mutated[offset:offset] = mutated[offset : offset + rng.choice((4, 64, 1024))]
            case 4:
                mutated[offset : offset + 4] = rng.choice(EXTREME_VALUES)
            case 5 if rng.random() < 0.1:
                del mutated[offset:]
    return bytes(mutated[:MAX_BYTES])
