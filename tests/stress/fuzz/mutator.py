"""Fuzzing without coverage, for where atheris is not installed: the seeds, and random changes of them."""

from __future__ import annotations

import random

from .targets import Target

LENGTH_LIMIT = 65_536


def drive(target: Target, runs: int, seed: int) -> None:
    """Run a target on its seeds, and on changes of changes of them."""
    chance = random.Random(seed)
    pool = target.seeds()
    for data in pool:
        target.run(data)
    for _ in range(runs):
        data = changed(chance.choice(pool), chance)
        target.run(data)
        if chance.random() < 0.05:
            pool.append(data)


def changed(data: bytes, chance: random.Random) -> bytes:
    """Change some places: overwrite, insert, take out, double, or cut off."""
    changing = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(changing) + 1)
        piece = chance.randbytes(chance.choice((1, 1, 2, 4)))
        match chance.randrange(6):
            case 0:
                changing[at : at + len(piece)] = piece
            case 1:
                changing[at:at] = piece
            case 2:
                del changing[at : at + chance.choice((1, 2, 4, 64))]
            case 3:
                changing[at:at] = changing[at : at + chance.choice((4, 64, 1024))]
            case 4:
                changing[at : at + 4] = chance.choice(
                    (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\r\n\r\n")
                )
            case 5 if chance.random() < 0.1:
                del changing[at:]
    return bytes(changing[:LENGTH_LIMIT])
