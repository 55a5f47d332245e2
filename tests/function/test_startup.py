"""The start of the function: what main.py leaves behind for the processes that gunicorn forks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from model.tflite.bundled import BUNDLED_MODEL
from tests.support.paths import MODELS, ROOT

START = 'import gc, sys, threading, functions_framework; app = functions_framework.create_app("run", "main.py")'


def start_and_print(expression: str, **env: str) -> str:
    """Return what an expression prints in a process that has loaded main.py."""
    command = [sys.executable, "-c", f"{START}; print({expression})"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("model", ["", str(MODELS / "served" / "int8.tflite")])
def test_no_thread_runs_when_gunicorn_forks(model: str) -> None:
    """A fork beside another thread can inherit a lock that stays locked."""
    assert start_and_print("threading.enumerate() == [threading.main_thread()]", MODEL_URI=model) == "True"


def test_the_garbage_collector_runs_but_skips_what_the_start_has_left() -> None:
    assert start_and_print("gc.isenabled(), gc.get_freeze_count() > 10_000") == "True True"


def test_a_failed_start_leaves_the_garbage_collector_enabled() -> None:
    code = """
import gc
try:
    import functions_framework; functions_framework.create_app("run", "main.py")
except SystemExit:
    print(gc.isenabled())
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env={"MODEL_URI": "none.tflite"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"


def test_only_the_bytes_of_the_bundled_model_are_served_unverified(tmp_path: Path) -> None:
    """Its path does not count: the file may have been replaced by another one."""
    verified, copy = "'model.tflite.verify' in sys.modules", tmp_path / "copy.tflite"
    copy.write_bytes(BUNDLED_MODEL.read_bytes())
    assert start_and_print(verified) == start_and_print(verified, MODEL_URI=str(copy)) == "False"
    copy.write_bytes(BUNDLED_MODEL.read_bytes() + bytes(1))
    assert start_and_print(verified, MODEL_URI=str(copy)) == "True"
