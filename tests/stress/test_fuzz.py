from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from tests.stress.fuzz.mutator import drive
from tests.stress.fuzz.targets import TARGETS, Target
from tests.support.paths import ROOT

RUNS = {"photo": 3_000, "form": 1_500, "card": 3_000, "metadata": 3_000, "model": 3_000}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")  # Pillow says what it sees in damaged EXIF
def test_bytes_of_any_kind_bring_nothing_out_but_the_errors_that_are_foreseen(name) -> None:
    if importlib.util.find_spec("atheris") is None:
        drive(TARGETS[name], RUNS[name], seed=5)
        return
    command = [sys.executable, "-m", "tests.stress.fuzz", name, f"-runs={RUNS[name]}", "-seed=5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_an_error_that_is_not_foreseen_comes_out() -> None:
    def run(data: bytes) -> None:
        if b"\xff" in data:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drive(Target(run, lambda: [bytes(20)]), 500, seed=1)


def test_the_seeds_of_each_target_are_there() -> None:
    for name, target in TARGETS.items():
        assert len(target.seeds()) >= 3, name
