"""A trial run of a model in a child process, because a runtime may crash on a model where it should raise an error."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from model.errors import ModelRejected
from model.tflite import bundled, loading, runtime
from model.tflite import card as cards
from model.tflite.card import ModelCard
from model.tflite.pool import InterpreterPool
from model.tflite.probe import probe


def check(file: Path, sha256: str = "") -> None:
    """Load and run a model in a child process, and reject it if that process crashes.

    Other errors are left to the caller's own attempt, which reports them better.

    Args:
        file: A .tflite.
        sha256: Its checksum in hex, if it is known; the bundled model is not tried.

    Raises:
        ModelRejected: If the runtime crashes.
    """
    if sha256 in bundled.CHECKSUMS:
        return
    import multiprocessing  # not needed for the bundled model

    # A fork is faster, but beside other threads it could inherit a lock that stays locked. TensorFlow has such threads.
    may_fork = threading.active_count() == 1 and "tensorflow" not in sys.modules
    context: Any = multiprocessing.get_context("fork" if may_fork else "spawn")
    process = context.Process(target=_run, args=(file,))
    process.start()
    process.join()
    code = process.exitcode
    if code < 0:
        raise ModelRejected(
            f"{runtime.RUNTIME} crashes on {file.name} ({signal.Signals(-code).name}); convert the model again with"
            " another recipe, such as float16, or with another version of the converter"
        )


def _run(file: Path) -> None:
    """Run in the child process: load a model as `loading.load` does, and run it once on zeros."""
    gc.disable()  # a collection would walk all imported modules, and the process ends soon
    faulthandler.disable()  # a crash is reported by the parent
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    try:
        from model.tflite import verify

        verify.read_model(file)
        embedded = cards.read_values(file) or {}
        probed = probe(file, loading.tensor_hints(ModelCard().with_values(embedded), embedded))
        pool = InterpreterPool(probed, 1)
        with pool.borrow(0) as interpreter:
            pool.run(interpreter, np.zeros(probed.input_shape, probed.input.dtype))
    except Exception:
        pass  # the parent gets the same error
    finally:
        os._exit(0)
