from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.options import Options
from model.segmenter import Segmenter
from model.tflite import card, loading, runtime
from model.tflite.bundled import BUNDLED_MODEL, FILES
from tests.support.images import decode_image
from tests.support.paths import SAMPLE


def mask_of(file: Path) -> NDArray[np.bool_]:
    """Return the mask of the sample photo, as booleans."""
    segmenter = Segmenter(file, "f00d", interpreters=1, wait_limit_s=1, max_pixels=10**6)
    return np.asarray(decode_image(segmenter.segment(SAMPLE.read_bytes(), Options.parse({}, segmenter.card)).body)) > 0


def test_the_file_that_is_served_is_the_one_of_the_runtime() -> None:
    assert FILES[runtime.RUNTIME] == BUNDLED_MODEL
    assert {file.name for file in FILES.values()} == {file.name for file in BUNDLED_MODEL.parent.glob("*.tflite")}


def test_both_files_have_the_same_card() -> None:
    float16, int8 = (card.read(file) for file in FILES.values())
    assert float16 == int8
    assert float16 is not None


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_each_file_runs_in_each_runtime_and_their_masks_differ_by_few_pixels(file: Path) -> None:
    assert loading.load(file, 1).notes == ()
    assert (mask_of(file) ^ mask_of(BUNDLED_MODEL)).mean() < 0.01
