from __future__ import annotations

import hashlib
import multiprocessing
import threading
from pathlib import Path

import pytest

from model.errors import ModelRejected
from model.tflite import trial
from model.tflite.bundled import FILES
from tests.support.paths import MODELS

CRASHING = MODELS / "refused" / "crash.tflite"


def test_a_model_that_crashes_the_runtime_is_rejected() -> None:
    with pytest.raises(ModelRejected, match=r"crashes on crash\.tflite \(SIGABRT\); convert the model again"):
        trial.check(CRASHING)


def test_a_model_is_tried_beside_other_threads(capfd: pytest.CaptureFixture[str]) -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        trial.check(MODELS / "served" / "int8.tflite")
        with pytest.raises(ModelRejected, match="SIGABRT"):
            trial.check(CRASHING)
    finally:
        end.set()
        thread.join()
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("name", ["custom-op", "classifier", "truncated"])
def test_an_error_other_than_a_crash_is_left_to_the_caller(name: str) -> None:
    trial.check(MODELS / "refused" / f"{name}.tflite")


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_the_bundled_model_is_not_tried(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails after the bundled model was replaced, set bundled.CHECKSUMS to those of the new files."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda method: pytest.fail("a child process is started"))
    trial.check(file, hashlib.sha256(file.read_bytes()).hexdigest())


def test_a_file_that_does_not_exist_is_left_to_the_caller(tmp_path: Path) -> None:
    trial.check(tmp_path / "none.tflite")
