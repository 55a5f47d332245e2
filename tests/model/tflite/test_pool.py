from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Never

import numpy as np
import pytest

from model.errors import Busy, InferenceFailed, ModelNotFound
from model.serving.model_loader import open_segmenter
from model.serving.settings import BUNDLED_MODEL, Settings
from model.tflite.pool import InterpreterPool
from model.tflite.probe import probe


def test_the_shapes_are_read_from_the_model() -> None:
    pets = probe(BUNDLED_MODEL)
    assert pets.input.size_wh == (256, 256)
    assert pets.output.channels == 1


def test_many_threads_get_what_one_gets() -> None:
    pets = InterpreterPool(probe(BUNDLED_MODEL), 3)
    tensors = np.random.default_rng(5).normal(size=(8, 1, 256, 256, 3)).astype(np.float32)

    def infer(tensor):
        with pets.borrow(60) as interpreter:
            return pets.run(interpreter, tensor)

    alone = [infer(tensor) for tensor in tensors]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(infer, list(tensors) * 3))
    for i, output in enumerate(together):
        assert (output == alone[i % 8]).all()


def test_who_waits_longer_than_the_limit_is_told_to_come_back() -> None:
    pets = InterpreterPool(probe(BUNDLED_MODEL), 1)
    with pets.borrow(1), pytest.raises(Busy), pets.borrow(0.01):
        pass
    with pets.borrow(0.01):
        pass  # it came back


def test_who_waits_gets_the_interpreter_that_comes_free() -> None:
    pets = InterpreterPool(probe(BUNDLED_MODEL), 1)
    got = threading.Event()

    def wait() -> None:
        with pets.borrow(30):
            got.set()

    with pets.borrow(1):
        waiter = threading.Thread(target=wait)
        waiter.start()
    waiter.join(30)
    assert got.is_set()


def test_an_interpreter_that_failed_is_replaced() -> None:
    pets = InterpreterPool(probe(BUNDLED_MODEL), 1)

    class Broken:
        def get_input_details(self):
            return [{"index": 0, "shape": (1, 256, 256, 3)}]

        def set_tensor(self, index, tensor) -> Never:
            raise RuntimeError("no memory")

    with pytest.raises(InferenceFailed), pets.borrow(1):
        pets.run(Broken(), np.zeros((1, 256, 256, 3), np.float32))
    with pets.borrow(1) as interpreter:
        assert pets.run(interpreter, np.zeros((1, 256, 256, 3), np.float32)).shape == (1, 256, 256, 1)


def test_a_model_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        open_segmenter(Settings(model_uri=str(tmp_path / "none.tflite")))
