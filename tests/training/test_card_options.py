from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from model.training import card_options
from tests.support.training import parse_card_options as parse


@pytest.mark.parametrize("options", [["--mean", "1,2"], ["--palette", "fff"], ["--palette", "0000"]])
def test_malformed_values_are_rejected_by_the_parser(options: list[str]) -> None:
    with pytest.raises(argparse.ArgumentError):
        parse(*options)


@pytest.mark.parametrize("options", [["--classes", "@no such file"], ["--fill", "fff"], ["--fit", "crop"]])
def test_more_malformed_values_are_rejected_by_the_parser(options: list[str]) -> None:
    with pytest.raises(argparse.ArgumentError):
        parse(*options)


def test_the_classes_are_read_from_a_file_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("background\nred, dark\n\n blue\n")
    assert parse("--classes", f"@{tmp_path / 'labels.txt'}").classes == ("background", "red, dark", "blue")


@pytest.mark.parametrize(("text", "size_wh"), [("256", (256, 256)), ("320x240", (320, 240)), ("8X9", (8, 9))])
def test_a_size_is_a_width_and_a_height_or_one_number(text: str, size_wh: tuple[int, int]) -> None:
    assert card_options.size(text) == size_wh


@pytest.mark.parametrize("text", ["0", "x", "3x", "1x2x3", "-4", "big"])
def test_a_malformed_size_is_rejected(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        card_options.size(text)


def test_one_threshold_is_for_two_classes_and_several_are_for_a_class_each() -> None:
    assert card_options.stated_by(parse("--threshold", "0.3"))[0] == {"threshold": 0.3}
    assert card_options.stated_by(parse("--threshold", "0.3,0.6"))[0] == {"thresholds": (0.3, 0.6)}
