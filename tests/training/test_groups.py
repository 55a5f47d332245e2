"""Results by group: grouping, intervals, and the three-part split in train and evaluate."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.image.preprocess import FLOAT_RGB
from model.tflite.card import ModelCard
from model.training import evaluate, train
from model.training.cli import CommandError
from model.training.data import samples, scenes, split
from model.training.data.samples import Sample
from model.training.measure import groups
from model.training.measure.evaluation import Candidate, Evaluation
from tests.support.training import draw


def sample(name: str, folder: str = "pets/images") -> Sample:
    return Sample(name, Path(folder) / f"{name}.jpg", Path("masks") / f"{name}.png", "ids")


def evaluation(photo_iou: dict[str, float], false_positive_share: dict[str, float]) -> Evaluation:
    candidate = Candidate(Path("m.h5"), lambda photo: photo, FLOAT_RGB, 1, ModelCard(), 0, "")
    return Evaluation(candidate, photo_iou, [], [], None, None, 0.0, false_positive_share)


def args_of(parser: argparse.ArgumentParser, *options: object) -> argparse.Namespace:
    return parser.parse_args([str(option) for option in options])


def test_photos_are_grouped_by_folder_and_test_breeds_are_new() -> None:
    photos = [sample("Bengal_1"), sample("pug_2"), sample("boxer_3", "breeds/images"), sample("x_4", "mine")]
    names = {group: [s.name for s in members] for group, members in groups.group_photos(photos).items()}
    assert names == {"pets": ["Bengal_1"], "new breeds": ["pug_2"], "breeds": ["boxer_3"], "mine": ["x_4"]}


def test_each_group_has_its_mean_its_failures_and_an_interval() -> None:
    members = {"pets": [sample(f"Bengal_{i}") for i in range(4)], "breeds": [sample("boxer_1")]}
    ious = {"Bengal_0": 1.0, "Bengal_1": 0.9, "Bengal_2": 0.4, "Bengal_3": 0.7, "boxer_1": 0.8}
    pets, breeds, negatives = groups.results(members, evaluation(ious, {"a": 0.5, "b": 0.01, "c": 0.0, "d": 0.02}))
    assert (pets.photos, pets.failed) == (4, 0.25)
    assert pets.iou == pytest.approx(0.75)
    assert 0.4 <= pets.low < 0.75 < pets.high <= 1
    assert [breeds.low, breeds.high] == pytest.approx([0.8, 0.8])
    assert (negatives.group, negatives.iou, negatives.failed) == ("no object", None, 0.25)
    text = groups.table("m.h5", [pets, negatives])
    assert "| pets | 4 | 0.7500 | 25.0% |" in text
    assert "| no object | 4 |  | 25.0% |" in text


def test_the_interval_is_that_of_the_normal_approximation_for_many_photos() -> None:
    values = np.random.default_rng(1).normal(0.8, 0.1, 400).tolist()
    low, high = groups.bootstrap_interval(values)
    half = 1.96 * np.std(values) / 20
    assert [low, high] == pytest.approx([np.mean(values) - half, np.mean(values) + half], abs=2e-3)
    assert groups.bootstrap_interval(values) == (low, high)


def test_composed_scenes_are_the_same_every_time_and_show_an_object(tmp_path: Path) -> None:
    photos = samples.load(*draw(tmp_path, 12)).samples
    first, second = (scenes.write_scenes(tmp_path / name, photos, 8) for name in ("a", "b"))
    assert [s.photo.tobytes() for s in first] == [s.photo.tobytes() for s in second]
    for scene in first:
        assert scene.photo.size == scene.ids.size == scenes.SIZE_WH
        assert np.mean(np.asarray(scene.ids) == 1) >= scenes.MIN_VISIBLE
        with Image.open(scene.photo_file) as stored:
            assert stored.tobytes() == scene.photo.tobytes()
    with pytest.raises(CommandError, match="no scene can be composed"):
        scenes.write_scenes(tmp_path / "c", samples.load_negatives(tmp_path / "photos"), 1)


def test_train_and_evaluate_use_the_same_three_parts(tmp_path: Path) -> None:
    photos, masks = draw(tmp_path, 60)
    for i in range(20):
        Image.new("RGB", (32, 32), (i, 9, 9)).save(tmp_path / f"{i}.png")
    folders = ["--photos", photos, "--masks", masks, "--negatives", tmp_path]
    training, held = train.read_photos(args_of(train.arguments(), *folders, "--three-parts"))
    parts = {part: {s.name for s in training if split.part_of(s.name) == part} for part in split.PARTS}
    assert parts["training"] == {s.name for s in training}
    assert any(s.mask_file is None for s in training)
    by_part = {
        part: evaluate.read_photos(args_of(evaluate.arguments(), "m.h5", *folders, "--part", part))
        for part in ("validation", "test")
    }
    assert {s.name for s in by_part["validation"][0]} == {s.name for s in held}
    for part, (with_object, negatives) in by_part.items():
        assert {split.part_of(s.name) for s in [*with_object, *negatives]} == {part}
    everything = [s.name for s in training] + [s.name for pair in by_part.values() for side in pair for s in side]
    assert len(everything) == len(set(everything)) == 80


def test_evaluate_writes_the_results_by_group(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    image = keras.Input((64, 64, 3))
    keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(image)).save(tmp_path / "m.keras")
    options = ["--photos", drawn[0], "--masks", drawn[1], "--part", "validation", "--out", tmp_path / "out"]
    evaluate.main([str(part) for part in (tmp_path / "m.keras", *options)])
    rows = json.loads((tmp_path / "out" / "groups.json").read_text())["m.keras"]
    assert [row["group"] for row in rows] == [drawn[0].parent.name, "composed scenes"]
    assert rows[1]["photos"] == evaluate.SCENES
    assert (tmp_path / "out" / "groups.md").read_text().strip() in capsys.readouterr().out


@pytest.mark.parametrize("shares", [("--composed", "0.9"), ("--mosaic", "-0.1")])
def test_shares_that_do_not_add_up_are_rejected(
    drawn: tuple[Path, Path], tmp_path: Path, shares: tuple[str, str]
) -> None:
    folders = ["--photos", str(drawn[0]), "--masks", str(drawn[1]), "--out", str(tmp_path)]
    with pytest.raises(CommandError, match="are shares"):
        train.main([*folders, *shares])
