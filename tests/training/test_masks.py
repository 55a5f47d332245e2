"""Mask files as class ids: format detection, stored values and their conversion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.cli import CommandError
from model.training.data import masks, samples
from model.training.data.masks import UNLABELLED
from tests.support.training import write_pairs


@pytest.mark.parametrize(
    ("values", "mask_format", "ids"),
    [
        ([[1, 1, 3, 2]] * 2, "trimap", [1, 1, UNLABELLED, 0]),
        ([[255, 0, 0, 255]] * 2, "binary", [1, 0, 0, 1]),
        ([[0, 1, 2, 255]] * 2, "ids", [0, 1, 2, UNLABELLED]),
        ([[0, 1, 1, 0]] * 2, "ids", [0, 1, 1, 0]),
    ],
)
def test_the_mask_format_is_detected_by_the_values(
    tmp_path: Path, values: list[list[int]], mask_format: str, ids: list[int]
) -> None:
    dataset = samples.load(*write_pairs(tmp_path, values))
    assert dataset.mask_format == mask_format
    assert np.asarray(dataset.samples[0].ids)[0].tolist() == ids


def test_an_explicit_mask_format_overrides_detection(tmp_path: Path) -> None:
    dataset = samples.load(*write_pairs(tmp_path, [[1, 2, 3, 2]] * 2), mask_format="ids")
    assert (dataset.mask_format, dataset.classes) == ("ids", 4)


def test_palette_masks_and_grey_rgb_masks_are_read_as_class_ids(tmp_path: Path) -> None:
    values = np.array([[0, 1, 2, 1]] * 2, np.uint8)
    palette = Image.fromarray(values)
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    grey = Image.fromarray(np.stack([values] * 3, axis=-1))
    dataset = samples.load(*write_pairs(tmp_path, palette, grey))
    assert [np.asarray(sample.ids).tolist() for sample in dataset.samples] == [values.tolist()] * 2


def test_a_one_bit_mask_is_binary(tmp_path: Path) -> None:
    dataset = samples.load(*write_pairs(tmp_path, Image.new("1", (4, 2), 1)))
    assert dataset.mask_format == "binary"
    assert np.asarray(dataset.samples[0].ids).tolist() == [[1] * 4] * 2


def test_shades_of_grey_require_an_explicit_format(tmp_path: Path) -> None:
    grey = np.linspace(0, 255, 200, dtype=np.uint8).reshape(2, 100)
    folders = write_pairs(tmp_path, grey)
    Image.new("RGB", (100, 2)).save(folders[0] / "0.png")
    with pytest.raises(CommandError, match="add --kind"):
        samples.load(*folders)
    assert samples.load(*folders, mask_format="binary").classes == 2


def test_values_that_a_trimap_does_not_have_are_rejected() -> None:
    with pytest.raises(ValueError, match="not 0 to 2"):
        masks.to_class_ids(np.array([[0, 2]], np.uint8), "trimap")


def test_a_mask_of_several_colours_is_rejected(tmp_path: Path) -> None:
    Image.effect_noise((4, 2), 60).convert("RGB").save(tmp_path / "grey.png")
    Image.new("RGB", (4, 2), (200, 10, 10)).save(tmp_path / "red.png")
    assert masks.read_values(tmp_path / "grey.png").shape == (2, 4)
    with pytest.raises(ValueError, match="must have one channel"):
        masks.read_values(tmp_path / "red.png")
