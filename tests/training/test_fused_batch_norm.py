from __future__ import annotations

import numpy as np

from model.training.nets import fused_batch_norm
from tests.support import small_network


def test_fused_batch_normalization_computes_what_batch_normalization_does() -> None:
    plain = small_network.build(32)
    rng = np.random.default_rng(4)
    plain.set_weights([rng.uniform(0.5, 1.5, weights.shape) for weights in plain.get_weights()])
    photos = rng.normal(size=(4, 32, 32, 3)).astype(np.float32)
    fused = fused_batch_norm.fused(plain)
    np.testing.assert_allclose(fused(photos, training=False), plain(photos, training=False), atol=1e-5)
    np.testing.assert_allclose(fused(photos, training=True), plain(photos, training=True), atol=1e-4)
    for actual, expected in zip(fused.weights, plain.weights, strict=True):  # with the moving statistics updated
        assert actual.path.split("/")[-2:] == expected.path.split("/")[-2:]
        np.testing.assert_allclose(actual, expected, rtol=0.01)  # the variance of a sample or of all: n - 1 or n
