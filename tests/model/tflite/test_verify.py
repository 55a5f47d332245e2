from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.errors import ModelRejected
from model.serving.settings import BUNDLED_MODEL
from model.tflite import verify
from tests.support.paths import MODELS, ROOT

SERVED = sorted((MODELS / "served").iterdir())
TRIES = 300


@pytest.mark.parametrize("file", SERVED, ids=lambda file: file.stem)
def test_a_whole_model_is_read(file) -> None:
    model = verify.read_model(file)
    assert model["subgraphs"][0]["inputs"]
    assert model["subgraphs"][0]["operators"]


def test_a_model_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cut.tflite"
    for whole in (BUNDLED_MODEL.read_bytes(), *(model.read_bytes() for model in SERVED[::6])):
        for part in range(1, 40):
            file.write_bytes(whole[: len(whole) * part // 40])
            with pytest.raises(ModelRejected):
                verify.read_model(file)


@pytest.mark.parametrize("data", [b"", b"TFL3", bytes(8), b"\x08\0\0\0TFL3", b"\xff\xff\xff\xffTFL3" + bytes(100)])
def test_what_is_no_model_is_refused(data, tmp_path: Path) -> None:
    file = tmp_path / "nothing.tflite"
    file.write_bytes(data)
    with pytest.raises(ModelRejected):
        verify.read_model(file)


def test_damaged_models_are_refused_or_run_but_never_end_the_process(tmp_path: Path) -> None:
    """Change bytes at random, in a process of its own: a crash there is what this must find."""
    done = subprocess.run(
        [sys.executable, MODELS / "damage.py", *map(str, SERVED[::4]), "--tries", str(TRIES)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
