from __future__ import annotations

import csv
from pathlib import Path

import keras
import numpy as np
import pytest

from model.training import train
from model.training.cli import CommandError
from model.training.fit import trainer
from tests.support import small_network
from tests.support.training import train_arguments

pytestmark = pytest.mark.usefixtures("train_small_network")


class Interrupted(Exception):
    """Stands for a process that is killed."""


def test_an_interrupted_run_ends_like_one_that_was_not_interrupted(
    drawn: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupt it after the epochs 1 and 3, and after 5, when fake quantization begins."""
    plan = ["--epochs", "5", "--quantization-aware"]
    train.main(train_arguments(drawn, tmp_path / "whole", *plan))
    on_epoch_end = trainer.Checkpointer.on_epoch_end
    for last_epoch in (1, 3, 5):

        def interrupt(
            self: trainer.Checkpointer, epoch: int, logs: dict[str, float], last_epoch: int = last_epoch
        ) -> None:
            on_epoch_end(self, epoch, logs)
            if epoch + 1 == last_epoch:
                raise Interrupted

        monkeypatch.setattr(trainer.Checkpointer, "on_epoch_end", interrupt)
        with pytest.raises(Interrupted):
            train.main(train_arguments(drawn, tmp_path / "resumed", *plan))
    monkeypatch.setattr(trainer.Checkpointer, "on_epoch_end", on_epoch_end)
    train.main(train_arguments(drawn, tmp_path / "resumed", *plan))
    runs = [tmp_path / "whole", tmp_path / "resumed"]
    for name in ("model.h5", "model-aware.h5"):
        weights = [keras.models.load_model(run / name, compile=False).get_weights() for run in runs]
        for expected, actual in zip(*weights, strict=True):
            np.testing.assert_allclose(expected, actual, atol=1e-4)
    histories = [list(csv.DictReader((run / "history.csv").open())) for run in runs]
    assert [row["epoch"] for row in histories[0]] == [row["epoch"] for row in histories[1]] == ["2", "4", "5", "6"]


def test_a_finished_run_is_not_trained_again(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    train.main(train_arguments(drawn, tmp_path, "--epochs", 1))
    before = (tmp_path / "checkpoint.npz").stat().st_mtime_ns
    train.main(train_arguments(drawn, tmp_path, "--epochs", 1))
    assert (tmp_path / "checkpoint.npz").stat().st_mtime_ns == before


def test_a_checkpoint_of_version_1_is_rejected(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    np.savez(tmp_path / "checkpoint.npz", told="{}", epoch=1)
    with pytest.raises(CommandError, match="of a run with other options or photos"):
        train.main(train_arguments(drawn, tmp_path, "--epochs", 1))


def test_a_checkpoint_of_a_run_with_other_options_is_rejected(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    train.main(train_arguments(drawn, tmp_path, "--epochs", 1))
    with pytest.raises(CommandError, match="of a run with other options or photos"):
        train.main(train_arguments(drawn, tmp_path, "--epochs", 2))


def test_the_averaged_weights_of_a_short_run_are_near_the_last_and_not_the_first(
    drawn: tuple[Path, Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    model = small_network.build(64)
    first = [rng.uniform(0.5, 1, array.shape).astype(np.float32) for array in model.get_weights()]
    model.set_weights(first)
    model.save(tmp_path / "first.h5")
    train.main(train_arguments(drawn, tmp_path, "--epochs", 10, "--weights", tmp_path / "first.h5"))
    averaged = keras.models.load_model(tmp_path / "model.h5", compile=False).get_weights()
    with np.load(tmp_path / "checkpoint.npz") as stored:
        last = [stored[f"array{i}"] for i in range(len(averaged))]
    trained = [i for i in range(len(averaged)) if not np.array_equal(averaged[i], last[i])]
    from_first_to_last = sum(np.abs(first[i] - last[i]).sum() for i in trained)
    from_average_to_last = sum(np.abs(averaged[i] - last[i]).sum() for i in trained)
    assert 0 < from_average_to_last < 0.1 * from_first_to_last
