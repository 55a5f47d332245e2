"""Composed scenes as a fixed set of photos with masks, for evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from model.training.cli import CommandError
from model.training.data.augment import Augmenter
from model.training.data.samples import Sample

SIZE_WH = (640, 480)
MIN_VISIBLE = 0.001  # of the pixels: a scene in which less of the objects is visible is drawn again
MAX_DRAWS = 100


def write_scenes(folder: Path, samples: Sequence[Sample], count: int, seed: int = 0) -> list[Sample]:
    """Compose scenes from samples and write them as PNG files; equal arguments give equal scenes.

    Args:
        folder: Where the photos scene-0.png, scene-1.png and so on are written, and their masks under `masks`.
        samples: Samples with an object, and samples without one as backgrounds.
        count: Number of scenes.
        seed: Of the random numbers.

    Raises:
        CommandError: If no scene can be composed from the samples.
    """
    augmenter = Augmenter(samples, soft=False)
    if not augmenter.can_compose:
        raise CommandError("no scene can be composed: no photo shows a whole object, or none has an empty region")
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    scenes = []
    for i in range(count):
        photo, ids = _draw_visible(augmenter, np.random.default_rng([seed, i]))
        name = f"scene-{i}"
        photo.save(folder / f"{name}.png")
        ids.save(folder / "masks" / f"{name}.png")
        scenes.append(Sample(name, folder / f"{name}.png", folder / "masks" / f"{name}.png", "ids", (photo, ids)))
    return scenes


def _draw_visible(augmenter: Augmenter, rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    for _ in range(MAX_DRAWS):
        photo, ids = augmenter.composed(SIZE_WH, rng)
        if np.mean(np.isin(np.asarray(ids), (0, 255), invert=True)) >= MIN_VISIBLE:
            return photo, ids
    raise CommandError(f"none of {MAX_DRAWS} composed scenes shows an object")
