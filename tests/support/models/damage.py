"""Damage models at random and load them: `python -m tests.support.models.damage MODEL.tflite... --tries 1000`.

A crash ends the process; the last line printed is the seed of the damage and the name of the model.
"""

from __future__ import annotations

import argparse
import random
import resource
from collections import Counter
from pathlib import Path

from model.errors import ModelRejected
from model.tflite import loading

MEMORY_LIMIT_BYTES = 6 << 30


def damage(data: bytes, rng: random.Random) -> bytes:
    """Return a copy with some bytes after the first 8 changed, and sometimes truncated."""
    damaged = bytearray(data)
    method = rng.randrange(4)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(8, len(damaged))
        if method == 0:
            damaged[at] ^= 1 << rng.randrange(8)
        elif method == 1:
            damaged[at] = rng.choice((0, 1, 127, 128, 255))
        else:
            word = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, rng.getrandbits(32)))
            damaged[at // 4 * 4 : at // 4 * 4 + 4] = word.to_bytes(4, "little")
    return bytes(damaged[: rng.randrange(8, len(damaged))] if method == 3 and rng.random() < 0.3 else damaged)


def main() -> None:
    """Load each damaged model, and print how many were rejected and served."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--tries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    file = Path("damaged.tflite")
    intact = [model.read_bytes() for model in args.models]
    outcomes: Counter[str] = Counter()
    for seed in range(args.seed, args.seed + args.tries):
        rng = random.Random(seed)
        number = rng.randrange(len(intact))
        print(seed, args.models[number].stem, flush=True)
        file.write_bytes(damage(intact[number], rng))
        try:
            loaded = loading.load(file, 1)
        except ModelRejected as error:
            by = "verification" if "truncated or damaged" in str(error) else "the runtime"
            outcomes[f"rejected by {by}"] += 1
        else:
            outcomes[f"served ({loaded.card.source})"] += 1
            del loaded  # frees its memory before the next one
    print(dict(outcomes))


if __name__ == "__main__":
    main()
