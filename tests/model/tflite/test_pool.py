from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Never

import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import Busy, InferenceFailed, ModelNotFound, ModelRejected
from model.serving.model_loader import open_segmenter
from model.serving.settings import Settings
from model.tflite import runtime
from model.tflite.bundled import BUNDLED_MODEL
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


def start_waiting(pool: InterpreterPool, name: str, order: list[str], waiting: int) -> threading.Thread:
    """Start a thread that borrows an interpreter and appends its name to `order`, and return once it waits."""

    def borrow() -> None:
        with pool.borrow(30):
            order.append(name)

    thread = threading.Thread(target=borrow)
    thread.start()
    while len(pool._waiting) < waiting:
        time.sleep(0.001)
    return thread


def test_waiting_requests_are_served_in_the_order_of_their_arrival() -> None:
    pool, order = InterpreterPool(probe(BUNDLED_MODEL), 1), list[str]()
    names = [f"request {number}" for number in range(6)]
    with pool.borrow(0):
        threads = [start_waiting(pool, name, order, number) for number, name in enumerate(names, 1)]
    for thread in threads:
        thread.join(30)
    assert order == names


def test_a_new_request_cannot_overtake_a_waiting_one() -> None:
    """The thread that returned the interpreter asks for one again before the waiting thread has run."""
    pool = InterpreterPool(probe(BUNDLED_MODEL), 1)
    for _ in range(50):
        order: list[str] = []
        with pool.borrow(0):
            thread = start_waiting(pool, "waiting", order, 1)
        with pool.borrow(30):
            order.append("new")
        thread.join(30)
        assert order == ["waiting", "new"]


def test_a_request_whose_interpreter_is_created_does_not_overtake_a_waiting_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, order = InterpreterPool(probe(BUNDLED_MODEL), 2), list[str]()

    def fail(*_: object, **__: object) -> Never:
        raise MemoryError

    with pool.borrow(0):
        with monkeypatch.context() as patch:
            patch.setattr(pool, "_create", fail)
            waiting = start_waiting(pool, "waiting", order, 1)
            while pool._missing == 0:
                time.sleep(0.001)
        with pool.borrow(30):  # creates the second interpreter, which goes to the waiting request first
            order.append("new")
        waiting.join(30)
    assert order == ["waiting", "new"]


def test_a_request_that_gave_up_does_not_keep_its_place() -> None:
    pool, order = InterpreterPool(probe(BUNDLED_MODEL), 1), list[str]()
    with pool.borrow(0):
        with pytest.raises(Busy), pool.borrow(0.01):
            pass
        waiting = start_waiting(pool, "waiting", order, 1)
    waiting.join(30)
    with pool.borrow(0):
        assert order == ["waiting"]


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
