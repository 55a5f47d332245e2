from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from model.training.data import augment, distractors, targets
from model.training.data.augment import Mixture
from model.training.data.masks import UNLABELLED
from model.training.data.samples import Sample


def ring() -> Image.Image:
    """A square object of 40 px, an unlabelled border of 8 px around it, and background."""
    ids = np.zeros((120, 120), np.uint8)
    ids[32:88, 32:88] = UNLABELLED
    ids[40:80, 40:80] = 1
    return Image.fromarray(ids)


def test_a_border_that_nobody_classified_becomes_a_slope_and_all_else_stays() -> None:
    target = np.asarray(targets.soften(ring()))
    assert (target[40:80, 40:80] == 255).all()
    assert (target[:32] == 0).all()
    across = target[60, 31:41].astype(int)
    assert (np.diff(across) > 0).all()
    assert abs(across.mean() - 127.5) < 10
    border = target[60, 32:40]
    assert (border > 70).all()
    assert (border < 185).all()


def test_a_drawn_thing_changes_the_scene_where_it_is_and_nowhere_else() -> None:
    rng = np.random.default_rng(1)
    scene, filling = Image.new("RGB", (96, 96), (10, 120, 10)), Image.new("RGB", (96, 96), (200, 30, 90))
    seen = 0
    for _ in range(40):
        drawn, where = distractors.draw(scene, filling, rng)
        outside = np.asarray(where) == 0
        assert (np.asarray(drawn)[outside] == (10, 120, 10)).all()
        seen += (np.asarray(where) == 255).mean() > 0.02
    assert seen > 30


def test_scenes_without_an_object_have_empty_targets(tmp_path: Path) -> None:
    photo = Image.effect_noise((120, 120), 60).convert("RGB")
    sample = Sample("one", tmp_path / "one.jpg", tmp_path / "one.png", "trimap", (photo, ring()))
    rng = np.random.default_rng(2)
    alone = augment.Augmenter([sample], mixture=Mixture(composed=0, mosaic=0, absent=1))
    assert not any(np.asarray(alone.draw(0, 64, rng)[1]).any() for _ in range(8))
    there = augment.Augmenter([sample], mixture=Mixture(composed=0, mosaic=0, absent=0))
    assert all(np.asarray(there.draw(0, 64, rng)[1]).any() for _ in range(8))


def test_shade_falls_on_a_share_of_the_photos_and_never_turns_them_black() -> None:
    photo = Image.new("RGB", (60, 40), (200, 150, 100))
    shaded = [np.asarray(augment.shade(photo, np.random.default_rng(seed))) for seed in range(200)]
    changed = [image for image in shaded if (image != photo).any()]
    assert 40 <= len(changed) <= 80
    factors = np.concatenate([image[..., 0].ravel() / 200 for image in changed])
    assert 0.3 < factors.min() < 0.6
    assert 1.1 < factors.max() <= 255 / 200
    assert sum(image[..., 0].std() > 5 for image in changed) > 0.8 * len(changed)  # it varies over the photo


def test_a_share_of_the_pairs_is_tilted_with_the_target_as_the_photo() -> None:
    photo, target = Image.new("RGB", (64, 64), "black"), Image.new("L", (64, 64), 0)
    photo.paste("white", (20, 30, 60, 40))
    target.paste(255, (20, 30, 60, 40))
    tilted = [augment.tilt((photo, target), np.random.default_rng(seed), soft=True) for seed in range(50)]
    changed = [pair for pair in tilted if pair[1] is not target]
    assert 5 < len(changed) < 25
    for tilted_photo, tilted_target in changed:
        inside = np.asarray(tilted_target)[16:48, 16:48]
        np.testing.assert_array_equal(np.asarray(tilted_photo)[16:48, 16:48, 0], inside)
