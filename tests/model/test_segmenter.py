from __future__ import annotations

import numpy as np
import pytest

from model.errors import PhotoTooLarge
from model.options import Options
from model.segmenter import Segmenter, Stopwatch
from model.tflite.bundled import BUNDLED_MODEL
from tests.support.images import decode_image


def segmenter(generation: str = "", max_pixels: int = 10**8) -> Segmenter:
    return Segmenter(
        BUNDLED_MODEL, "f00d", interpreters=1, wait_limit_s=1, max_pixels=max_pixels, generation=generation
    )


def test_a_result_has_the_photos_size_and_the_time_of_each_stage(sample: bytes) -> None:
    model = segmenter()
    result = model.segment(sample, Options.parse({}, model.card))
    assert (result.content_type, result.photo_wh) == ("image/png", (451, 300))
    assert decode_image(result.body).size == (451, 300)
    assert list(result.stages_ms) == ["wait", "decode", "infer", "mask", "encode"]
    assert all(ms >= 0 for ms in result.stages_ms.values())


def test_a_photo_over_the_limit_of_pixels_is_rejected(sample: bytes) -> None:
    model = segmenter(max_pixels=451 * 300 - 1)
    with pytest.raises(PhotoTooLarge):
        model.segment(sample, Options.parse({}, model.card))


def test_the_raw_output_is_the_tensor_of_the_model(sample: bytes) -> None:
    output = segmenter().raw_output(sample)
    assert output.shape == (1, 256, 256, 1)
    assert output.dtype == np.float32


def test_the_generation_of_a_downloaded_model_is_its_version() -> None:
    plain, downloaded = segmenter().describe(), segmenter(generation="1700").describe()
    assert (plain["version"], downloaded["version"]) == (plain["card_version"], "1700")
    assert downloaded["card_version"] == plain["card_version"]
    assert downloaded["sha256"] == "f00d"


def test_a_stopwatch_gives_merged_stages_no_time_twice() -> None:
    watch = Stopwatch()
    watch.merge({"infer": 5.0})
    watch.mark("write")
    assert list(watch.ms) == ["infer", "write"]
    assert watch.ms["infer"] == 5.0
    assert watch.ms["write"] < 1000
