from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.errors import ModelRejected
from model.tflite import verify
from model.tflite.bundled import BUNDLED_MODEL
from tests.support.paths import MODELS, ROOT

SERVED = sorted((MODELS / "served").iterdir())
DAMAGED_MODELS = 300


@pytest.mark.parametrize("file", SERVED, ids=lambda file: file.stem)
def test_an_intact_model_is_read(file: Path) -> None:
    model = verify.read_model(file)
    assert model["subgraphs"][0]["inputs"]
    assert model["subgraphs"][0]["operators"]


def test_a_model_truncated_anywhere_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "truncated.tflite"
    for intact in (BUNDLED_MODEL.read_bytes(), *(model.read_bytes() for model in SERVED[::6])):
        for part in range(1, 40):
            file.write_bytes(intact[: len(intact) * part // 40])
            with pytest.raises(ModelRejected):
                verify.read_model(file)


@pytest.mark.parametrize("data", [b"", b"TFL3", bytes(8), b"\x08\0\0\0TFL3", b"\xff\xff\xff\xffTFL3" + bytes(100)])
def test_a_file_that_is_not_a_model_is_rejected(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "other.tflite"
    file.write_bytes(data)
    with pytest.raises(ModelRejected):
        verify.read_model(file)


def test_damaged_models_are_rejected_or_run_but_never_crash_the_process(tmp_path: Path) -> None:
    """Run in a process of its own, since a crash is the failure that this test looks for."""
    process = subprocess.run(
        [sys.executable, MODELS / "damage.py", *map(str, SERVED[::4]), "--tries", str(DAMAGED_MODELS)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout[-500:] + process.stderr[-2000:]
