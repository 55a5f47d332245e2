from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from model.training.fit.optimizer import AdamWithSlowEncoder
from model.training.nets import network
from tests.support import small_network


@pytest.mark.parametrize("encoder_rate", [0.0, 0.25, 1.0])
def test_the_encoder_learns_at_its_share_of_the_rate(encoder_rate: float) -> None:
    model = small_network.build(32)
    before = [np.asarray(variable) for variable in model.trainable_variables]
    optimizer = AdamWithSlowEncoder(0.1, encoder_rate=encoder_rate, weight_decay=0.0)
    optimizer.apply([ops.ones(variable.shape) for variable in model.trainable_variables], model.trainable_variables)
    layers = {True: 0, False: 0}
    for old, variable in zip(before, model.trainable_variables, strict=True):
        in_encoder = variable.path.split("/")[-2].startswith(("stem", "block1"))
        layers[in_encoder] += 1
        np.testing.assert_allclose(old - np.asarray(variable), 0.1 * (encoder_rate if in_encoder else 1), atol=1e-4)
    assert min(layers.values()) > 0


def test_every_layer_with_imagenet_weights_is_in_the_encoder_and_none_of_the_decoder() -> None:
    model = network.build(64)
    in_encoder = {layer.name for layer in model.layers if layer.weights and network.is_in_encoder(layer.name)}
    assert in_encoder == {name for conv, *_ in network.encoder_names() for name in (conv, f"{conv}_bn")}
    assert any(isinstance(layer, keras.layers.Conv2D) and layer.name not in in_encoder for layer in model.layers)
