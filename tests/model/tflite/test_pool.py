from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Never

import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import Busy, InferenceFailed, ModelNotFound, ModelRejected
from model.serving.model_loader import open_segmenter
from model.serving.settings import BUNDLED_MODEL, Settings
from model.tflite import runtime
from model.tflite.pool import InterpreterPool
from model.tflite.probe import probe


def test_concurrent_threads_get_the_same_outputs_as_one() -> None:
    pool = InterpreterPool(probe(BUNDLED_MODEL), 3)
    tensors = np.random.default_rng(5).normal(size=(8, 1, 256, 256, 3)).astype(np.float32)

    def infer(tensor: NDArray[np.float32]) -> NDArray[Any]:
        with pool.borrow(60) as interpreter:
            return pool.run(interpreter, tensor)

    sequential = [infer(tensor) for tensor in tensors]
    with ThreadPoolExecutor(8) as threads:
        concurrent = list(threads.map(infer, list(tensors) * 3))
    for i, output in enumerate(concurrent):
        assert (output == sequential[i % 8]).all()


def test_interpreters_are_created_up_to_the_size_and_the_last_one_returned_is_lent_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probed = probe(BUNDLED_MODEL)
    pool = InterpreterPool(probed, 2)
    with pool.borrow(0) as first, pool.borrow(0) as second:
        assert first is probed.interpreter
        assert second is not first
        with pytest.raises(Busy), pool.borrow(0.01):
            pass
    monkeypatch.setattr(runtime, "create_interpreter", None)
    with pool.borrow(0) as interpreter:
        assert interpreter is first


def test_a_request_that_waits_longer_than_the_limit_is_rejected_as_busy() -> None:
    pool = InterpreterPool(probe(BUNDLED_MODEL), 1)
    with pool.borrow(1), pytest.raises(Busy), pool.borrow(0.01):
        pass
    with pool.borrow(0.01):
        pass  # it is idle again


def test_a_waiting_request_gets_the_interpreter_that_becomes_idle() -> None:
    pool = InterpreterPool(probe(BUNDLED_MODEL), 1)
    borrowed = threading.Event()

    def wait() -> None:
        with pool.borrow(30):
            borrowed.set()

    with pool.borrow(1):
        waiter = threading.Thread(target=wait)
        waiter.start()
    waiter.join(30)
    assert borrowed.is_set()


def test_an_interpreter_that_failed_is_replaced() -> None:
    pool = InterpreterPool(probe(BUNDLED_MODEL), 1)

    class BrokenInterpreter:
        def get_input_details(self) -> list[dict[str, Any]]:
            return [{"index": 0, "shape": (1, 256, 256, 3)}]

        def set_tensor(self, index: int, tensor: NDArray[Any]) -> Never:
            raise RuntimeError("no memory")

    photo = np.zeros((1, 256, 256, 3), np.float32)
    with pytest.raises(InferenceFailed), pool.borrow(1) as failed:
        pool.run(BrokenInterpreter(), photo)
    with pool.borrow(1) as interpreter:
        assert interpreter is not failed
        assert pool.run(interpreter, photo).shape == (1, 256, 256, 1)


def test_an_interpreter_that_cannot_be_created_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = InterpreterPool(probe(BUNDLED_MODEL), 2)

    for error in (ModelRejected("no memory"), MemoryError()):

        def fail(*_: object, error: Exception = error, **__: object) -> Never:
            raise error

        with pool.borrow(0) as first:
            with monkeypatch.context() as patch:
                patch.setattr(pool, "_create", fail)
                with pytest.raises(Busy), pool.borrow(0.01):
                    pass
            with pool.borrow(0.01) as second:
                assert second is not first
        with pool.borrow(0.01), pool.borrow(0.01):
            pass
        pool = InterpreterPool(probe(BUNDLED_MODEL), 2)


def test_a_pool_whose_only_interpreter_failed_and_cannot_be_replaced_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = InterpreterPool(probe(BUNDLED_MODEL), 1)

    def fail(*_: object, **__: object) -> Never:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(pool, "_create", fail)
        with pytest.raises(InferenceFailed), pool.borrow(0):
            raise InferenceFailed
        with pytest.raises(Busy), pool.borrow(0.01):
            pass
    with pool.borrow(0.01) as interpreter:
        assert pool.run(interpreter, np.zeros((1, 256, 256, 3), np.float32)).shape == (1, 256, 256, 1)


def test_a_missing_model_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        open_segmenter(Settings(model_uri=str(tmp_path / "none.tflite")))
