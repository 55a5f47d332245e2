from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from model.errors import ModelRejected
from model.training import cli
from model.training.cli import CommandError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (CommandError("two\nlines"), "error: two lines"),
        (ModelRejected("a damaged model"), "error: a damaged model"),
        (
            ModuleNotFoundError("No module named 'keras'", name="keras"),
            "error: keras is not installed; run `make train-setup` to install the training pipeline",
        ),
        (PermissionError(13, "Permission denied", "out.tflite"), "error: out.tflite: Permission denied"),
        (OSError(28, "No space left on device"), "error: cannot write a file: No space left on device"),
        (MemoryError(), "error: out of memory"),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_error_ends_the_process_with_one_line(error: BaseException, message: str | int) -> None:
    def main(argv: Sequence[str] | None) -> None:
        raise error

    with pytest.raises(SystemExit) as exit_info:
        cli.run(main)
    assert exit_info.value.code == message


def test_a_long_message_is_shortened() -> None:
    assert cli.one_line("word " * 200, limit=12) == "word word..."


def write_and_fail(target: Path) -> None:
    """Fail after writing the new content of a file."""
    with cli.atomic_path(target) as partial:
        assert partial.suffix == ".keras"
        partial.write_text("second")
        raise CommandError("the command fails")


def test_a_file_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "model.keras"
    cli.write_atomic(target, "first")
    with pytest.raises(CommandError):
        write_and_fail(target)
    assert [file.name for file in target.parent.iterdir()] == ["model.keras"]
    assert target.read_text() == "first"


def test_the_progress_bar_is_drawn_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(cli.progress([1, 2], "reading")) == [1, 2]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "\rreading [###############               ]  50%" in captured.err
    assert captured.err.endswith(f"\rreading [{'#' * 30}] 100%\n")


def test_no_progress_bar_is_drawn_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(cli.progress(["photo"], "reading")) == ["photo"]
    assert capsys.readouterr().err == ""


def test_native_output_is_silenced_only_in_the_block(capfd: pytest.CaptureFixture[str]) -> None:
    with cli.silence_native_output():
        os.write(1, b"from C++\n")
        os.write(2, b"from C++\n")
    print("after")
    assert capfd.readouterr() == ("after\n", "")
