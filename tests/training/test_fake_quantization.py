from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from model.training.measure.interpreter import Interpreter
from model.training.nets import converter, fake_quantization, keras_files
from tests.support import small_network


def test_folding_batch_normalization_does_not_change_the_output() -> None:
    model = small_network.with_random_statistics(small_network.build(32))
    photos = np.random.default_rng(1).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    folded = fake_quantization.folded(model)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in folded.layers)
    np.testing.assert_allclose(np.asarray(folded(photos)), np.asarray(model(photos, training=False)), atol=1e-5)


@pytest.mark.parametrize("last_layer", ["stem_relu", "block1_depthwise_relu"])
def test_fake_quantization_is_closer_to_the_int8_model_than_the_float_model_is(tmp_path: Path, last_layer: str) -> None:
    """Near the input this is measurable; deeper, single values that are rounded the other way have spread."""
    keras.utils.set_random_seed(1)
    whole = small_network.with_random_statistics(small_network.build(32))
    folded = fake_quantization.folded(keras.Model(whole.input, whole.get_layer(last_layer).output))
    rng = np.random.default_rng(1)
    photos = [rng.uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32) for _ in range(16)]
    fake_quantized = fake_quantization.fake_quantized(folded)
    for _ in range(3):
        fake_quantized(np.concatenate(photos), training=True)
    folded.save(tmp_path / "folded.keras")
    converted = converter.convert(keras_files.load(tmp_path / "folded.keras"), "int8", photos)
    (tmp_path / "int8.tflite").write_bytes(converted)
    int8 = Interpreter(tmp_path / "int8.tflite")
    expected = np.concatenate([int8(photo) for photo in photos])
    error = {
        name: float(np.abs(np.asarray(model(np.concatenate(photos), training=False)) - expected).mean())
        for name, model in (("fake quantized", fake_quantized), ("float", folded))
    }
    assert error["fake quantized"] < 0.6 * error["float"], error
