"""The scenario: how large it is, and which photos are uploaded."""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image, ImageDraw

from tests.support.images import encode_image

MAX_UPLOAD_BYTES, MAX_PIXELS = 60_000, 90_000
UNUSABLE_SHARE, REPLACED_SHARE = 0.1, 0.15  # of the photos
SUFFIXES = (".jpg", ".png", "", ".jpg.png")  # of one name: their masks must be separate


@dataclass(frozen=True)
class Scenario:
    """The size of a run.

    Attributes:
        photos: Number of photos, not counting replacements.
        processes: Number of processes of the function.
        jobs: Number of events delivered at the same time.
        kill_every_s: Time between kills in seconds.
        seed: Seed of the random choices.
    """

    photos: int
    processes: int = 3
    jobs: int = 8
    kill_every_s: float = 4.0
    seed: int = 1


def plan_uploads(scenario: Scenario) -> list[tuple[str, bytes]]:
    """Return the names and contents of all uploads in order; a repeated name is a newer version of that photo."""
    rng = random.Random(scenario.seed)
    names = [f"{number // 4 % 7}/ü #{number // 4}{SUFFIXES[number % 4]}" for number in range(scenario.photos)]
    replaced = [name for name in names if rng.random() < REPLACED_SHARE]
    replaced_twice = [name for name in names if rng.random() < REPLACED_SHARE / 3]
    uploads = names + replaced + replaced_twice
    rng.shuffle(uploads)
    return [(name, random_upload(rng)) for name in uploads]


def random_upload(rng: random.Random) -> bytes:
    """Return a small photo or, with UNUSABLE_SHARE, something that is not a photo or exceeds a limit."""
    size_wh = rng.randint(60, 200), rng.randint(60, 200)
    if rng.random() < UNUSABLE_SHARE:
        truncated, too_many_pixels = random_photo(rng, size_wh)[:-400], random_photo(rng, (400, 300))
        return rng.choice([b"", b"some text", truncated, bytes(MAX_UPLOAD_BYTES + 1), too_many_pixels])
    return random_photo(rng, size_wh)


def random_photo(rng: random.Random, size_wh: tuple[int, int]) -> bytes:
    """Return a JPEG of circles in random colours."""
    background = rng.randint(90, 220), rng.randint(90, 220), rng.randint(90, 220)
    image = Image.new("RGB", size_wh, background)
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, r = rng.randint(0, size_wh[0]), rng.randint(0, size_wh[1]), rng.randint(5, 50)
        colour = rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255)
        pen.ellipse((x - r, y - r, x + r, y + r), colour)
    return encode_image(image, "JPEG")
