from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from tests.stress.fuzz.mutator import fuzz
from tests.stress.fuzz.targets import TARGETS, Target
from tests.support.paths import ROOT

RUNS = {"photo": 3_000, "form": 1_500, "card": 3_000, "metadata": 3_000, "model": 3_000}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")  # Pillow warns about damaged EXIF
def test_arbitrary_bytes_raise_only_expected_errors(name: str) -> None:
    if importlib.util.find_spec("atheris") is None:
        fuzz(TARGETS[name], RUNS[name], seed=5)
        return
    command = [sys.executable, "-m", "tests.stress.fuzz", name, f"-runs={RUNS[name]}", "-seed=5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_an_unexpected_error_is_raised() -> None:
    def run(data: bytes) -> None:
        if b"\xff" in data:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fuzz(Target(run, lambda: [bytes(20)]), 500, seed=1)


def test_each_target_has_seeds() -> None:
    for name, target in TARGETS.items():
        assert len(target.seeds()) >= 3, name
