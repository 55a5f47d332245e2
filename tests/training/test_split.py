"""The split of photos into three parts, and into two."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from PIL import Image

from model.training.cli import CommandError
from model.training.data import samples, split
from model.training.data.samples import Sample
from tests.support.training import draw

# fmt: off
ADDED_BREEDS = (
    "British_Shorthair", "Egyptian_Mau", "Maine_Coon", "Persian", "Russian_Blue",
    "Siamese", "american_pit_bull_terrier", "basset_hound", "boxer", "english_cocker_spaniel",
    "german_shorthaired", "great_pyrenees", "havanese", "japanese_chin", "keeshond",
    "miniature_pinscher", "newfoundland", "pomeranian", "pug", "saint_bernard",
    "scottish_terrier", "staffordshire_bull_terrier", "wheaten_terrier", "yorkshire_terrier",
)
# fmt: on


def sample(name: str) -> Sample:
    image = Image.new("RGB", (4, 4))
    return Sample(name, Path(f"{name}.jpg"), Path(f"{name}.png"), "ids", (image, image.convert("L")))


def test_the_remainder_of_the_names_crc_decides() -> None:
    for i in range(300):
        name = f"Bengal_{i}"
        remainder = zlib.crc32(name.encode()) % 10
        assert split.part_of(name) == {0: "test", 1: "validation"}.get(remainder, "training")


def test_five_whole_breeds_are_test_photos() -> None:
    assert len(split.TEST_BREEDS) == 5
    assert {split.part_of(f"{breed}_{i}") for breed in split.TEST_BREEDS for i in range(200)} == {"test"}
    assert {split.part_of(f"pugs_{i}") for i in range(200)} == set(split.PARTS)


def test_the_test_breeds_are_those_of_the_smallest_crc() -> None:
    """The rule that chose them: the 24 breeds that were added to the first three, in the order of their CRC-32."""
    assert len(ADDED_BREEDS) == 24
    assert sorted(ADDED_BREEDS, key=lambda name: zlib.crc32(name.encode()))[:5] == sorted(
        split.TEST_BREEDS, key=lambda name: zlib.crc32(name.encode())
    )


def test_each_sample_is_in_one_part() -> None:
    samples = [sample(f"Persian_{i}") for i in range(100)] + [sample("pug_1")]
    parts = {part: split.select(samples, part) for part in split.PARTS}
    assert sorted(s.name for part in parts.values() for s in part) == sorted(s.name for s in samples)
    assert "pug_1" in {s.name for s in parts["test"]}
    assert 60 <= len(parts["training"]) <= 95


def test_an_empty_part_is_an_error() -> None:
    with pytest.raises(CommandError, match="none of the 1 photos belongs to the training part"):
        split.select([sample("pug_1")], "training")


def test_two_parts_depend_on_the_name_alone_or_on_a_prefix(tmp_path: Path) -> None:
    drawn = samples.load(*draw(tmp_path, 24)).samples
    training, held_out = split.split_in_two(drawn)
    assert {s.name for s in held_out} == {s.name for s in drawn if split.is_held_out(s.name)}
    assert len(training) + len(held_out) == 24
    assert {s.name for s in split.split_in_two(drawn[::-1])[1]} == {s.name for s in held_out}
    training, held_out = split.split_in_two(drawn, "other")
    assert all(s.name.startswith("other") for s in held_out)
    assert not any(s.name.startswith("other") for s in training)
    with pytest.raises(CommandError, match="0 of 24 photos"):
        split.split_in_two(drawn, "nobody")


def test_the_photos_held_out_of_two_parts_are_test_photos_of_three() -> None:
    """So a model trained with two parts has seen no test photo except those of the test breeds."""
    names = [f"Bengal_{i}" for i in range(300)]
    assert {split.part_of(name) for name in names if split.is_held_out(name)} == {"test"}
