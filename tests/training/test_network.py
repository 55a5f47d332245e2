from __future__ import annotations

import numpy as np

from model.training.nets import fake_quantization, imagenet_weights, network


def test_the_network_loads_the_imagenet_weights() -> None:
    model = network.build(64, 3)
    network.load_imagenet(model, imagenet_weights.read(imagenet_weights.path()))
    assert model.output_shape == (None, 64, 64, 3)
    photo = np.zeros((1, 64, 64, 3), np.float32)
    np.testing.assert_allclose(np.asarray(model(photo)).sum(-1), 1, atol=1e-5)
    folded = fake_quantization.folded(model)
    np.testing.assert_allclose(np.asarray(folded(photo)), np.asarray(model(photo, training=False)), atol=1e-3)
    assert len(fake_quantization.fake_quantized(folded).layers) > len(folded.layers)
