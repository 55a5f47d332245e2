"""Composed scenes: what is pasted is where the target says, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.training.data import compose, targets
from model.training.data.compose import Cutout
from model.training.data.masks import UNLABELLED

PET, BACKGROUND, COVER = (220, 40, 40), (10, 90, 20), (30, 30, 200)


def cutout(left: int = 40, right: int = 80, soft: bool = True) -> Cutout:
    """Return a red object of 40 px on grey, with an unclassified border of 8 px."""
    ids = np.zeros((120, 120), np.uint8)
    ids[32:88, max(0, left - 8) : right + 8] = UNLABELLED
    ids[40:80, left:right] = 1
    photo = np.full((120, 120, 3), 128, np.uint8)
    photo[ids > 0] = PET
    image = Image.fromarray(ids)
    box = compose.object_box(image)
    assert box is not None
    return Cutout(Image.fromarray(photo), targets.soften(image) if soft else image, box)


def scene(seed: int, count: int = 1, soft: bool = True) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Compose a scene of 90 x 60 px and return its photo and target."""
    background, cover = Image.new("RGB", (90, 60), BACKGROUND), Image.new("RGB", (90, 60), COVER)
    rng = np.random.default_rng(seed)
    photo, target = compose.scene(background, [cutout(soft=soft)] * count, cover, rng, soft)
    assert photo.size == target.size == (90, 60)
    return np.asarray(photo).astype(int), np.asarray(target)


def test_the_target_marks_the_pasted_object_and_nothing_else() -> None:
    for seed in range(40):
        photo, target = scene(seed)
        reddish = photo[..., 0] > photo[..., 1] + 20
        assert reddish[target == 255].mean() > 0.97 if (target == 255).any() else True
        is_background = (abs(photo - BACKGROUND) <= 2).all(-1)
        assert (target[is_background] <= 140).all()  # the outer half of the border may show the background


def test_objects_differ_in_size_and_place_from_small_to_full_height() -> None:
    heights = []
    for seed in range(200):
        rows = np.flatnonzero((scene(seed)[1] > 0).any(1))
        heights.append(len(rows) / 60)
    assert min(heights) < 0.1
    assert max(heights) > 0.9
    assert np.mean(np.array(heights) < 0.3) > 0.2
    assert len({scene(seed)[1].tobytes() for seed in range(20)}) == 20


def test_a_scene_depends_on_its_seed_alone_and_leaves_the_photos_as_they_are() -> None:
    background, cover = Image.new("RGB", (90, 60), BACKGROUND), Image.new("RGB", (90, 60), COVER)
    objects = [cutout(), cutout()]
    before = [part.tobytes() for part in (background, cover, objects[0].photo, objects[0].target)]
    results = [compose.scene(background, objects, cover, np.random.default_rng(3), True) for _ in range(2)]
    assert results[0][0].tobytes() == results[1][0].tobytes()
    assert results[0][1].tobytes() == results[1][1].tobytes()
    assert [part.tobytes() for part in (background, cover, objects[0].photo, objects[0].target)] == before


def test_class_ids_stay_class_ids() -> None:
    ids = {int(value) for seed in range(30) for value in np.unique(scene(seed, count=3, soft=False)[1])}
    assert ids == {0, 1, UNLABELLED}


def test_a_board_hides_the_object_and_clears_the_target() -> None:
    """Somewhere among the scenes a board or a thing is in front: it shows the cover where the object would be."""
    hidden = 0
    for seed in range(60):
        photo, target = scene(seed)
        covered = photo[..., 2] > 150
        hidden += bool(covered.any())
        assert (target[covered] < 128).all()
    assert hidden > 5


@pytest.mark.parametrize("edges", [(0, 40), (80, 120)])
def test_an_object_that_its_photo_cuts_off_is_cut_off_by_the_frame_too(edges: tuple[int, int]) -> None:
    left, right = edges
    objects = [cutout(left, min(right, 120))]
    assert objects[0].box[0] == 0 or objects[0].box[2] == 120
    background = Image.new("RGB", (90, 60), BACKGROUND)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        place = compose._place(objects[0], rng.uniform(0.05, 1), background.size, rng)
        assert place.left <= 0 if left == 0 else place.left + place.width >= 90


def test_an_object_that_spans_its_photo_is_not_cut_out() -> None:
    ids = np.zeros((50, 50), np.uint8)
    assert compose.object_box(Image.fromarray(ids)) is None
    ids[10:20] = 1
    assert compose.object_box(Image.fromarray(ids)) is None
    ids[:, :5] = 0
    assert compose.object_box(Image.fromarray(ids)) == (5, 10, 50, 20)


def test_the_light_of_an_object_moves_towards_that_of_its_background() -> None:
    dark, bright = Image.new("RGB", (90, 60), (20, 20, 20)), Image.new("RGB", (90, 60), (230, 230, 230))
    for seed in range(20):
        gains = [compose._gains(cutout(), scene, np.random.default_rng(seed)) for scene in (dark, bright)]
        assert max(gains[0]) < 1 < min(gains[1])


def test_a_mosaic_shows_four_pairs_in_one() -> None:
    pairs = [(Image.new("RGB", (64, 64), (60 * i, 0, 0)), Image.new("L", (64, 64), 80 * i)) for i in range(4)]
    photo, target = compose.mosaic(pairs, np.random.default_rng(0), soft=True)
    assert photo.size == target.size == (64, 64)
    corners = [(0, 0), (63, 0), (0, 63), (63, 63)]
    assert [photo.getpixel(corner) for corner in corners] == [(60 * i, 0, 0) for i in range(4)]
    assert [target.getpixel(corner) for corner in corners] == [80 * i for i in range(4)]
    assert all(np.mean(np.asarray(target) == 80 * i) > 0.1 for i in range(4))
