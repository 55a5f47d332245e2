"""A short form of `make families`: some families that need nothing but TensorFlow and Keras."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

NAMES = ("pet-first", "rescaling-inside", "multilabel")


def test_models_of_common_families_are_served_as_they_answer_themselves(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.training.families", "--out", str(tmp_path), "--only", *NAMES]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [row["name"] for row in rows] == list(NAMES)
    assert (tmp_path / "results.md").read_text().startswith("# Model families")
