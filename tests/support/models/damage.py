"""Damage models at random and load them: `python -m tests.support.models.damage MODEL.tflite... --tries 1000`.

A crash ends the process; the last line that it printed names the damage.
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


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Change, cut or overwrite some bytes."""
    changed = bytearray(data)
    kind = rng.randrange(4)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(8, len(changed))
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at] = rng.choice((0, 1, 127, 128, 255))
        else:
            changed[at // 4 * 4 : at // 4 * 4 + 4] = rng.choice(
                (0, 1, 2**31 - 1, 2**32 - 1, rng.getrandbits(32))
            ).to_bytes(4, "little")
    return bytes(changed[: rng.randrange(8, len(changed))] if kind == 3 and rng.random() < 0.3 else changed)


def main() -> None:
    """Load each damaged model, and count what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--tries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    file = Path("damaged.tflite")
    whole = [model.read_bytes() for model in args.models]
    ends: Counter[str] = Counter()
    for seed in range(args.seed, args.seed + args.tries):
        rng = random.Random(seed)
        number = rng.randrange(len(whole))
        print(seed, args.models[number].stem, flush=True)
        file.write_bytes(damaged(whole[number], rng))
        try:
            loaded = loading.load(file, 1)
        except ModelRejected as error:
            ends["refused by " + ("the checks" if "truncated or damaged" in str(error) else "the runtime")] += 1
        else:
            ends[f"served ({loaded.card.source})"] += 1
            del loaded
    print(dict(ends))


if __name__ == "__main__":
    main()
