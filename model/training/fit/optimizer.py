"""The optimizer: AdamW with a lower learning rate for the encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from model.training.nets import network


class AdamWithSlowEncoder(keras.optimizers.AdamW):
    """AdamW (Loshchilov and Hutter 2019) with a share of the learning rate for the encoder's weights.

    A pretrained encoder that moves little keeps features of more kinds of photos than a few hundred photos show.
    """

    def __init__(self, *args: Any, encoder_rate: float, **kwargs: Any) -> None:
        """Create the optimizer.

        Args:
            *args: Of AdamW.
            encoder_rate: Factor of the learning rate for the encoder's weights.
            **kwargs: Of AdamW.
        """
        super().__init__(*args, **kwargs)
        self.encoder_rate = encoder_rate

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        """Update the encoder's variables at their own rate, and then the others."""
        pairs = list(zip(grads, trainable_variables, strict=True))
        for in_encoder, factor in ((True, self.encoder_rate), (False, 1.0)):
            part = [pair for pair in pairs if network.is_in_encoder(pair[1].path.split("/")[-2]) == in_encoder]
            if part:
                gradients, variables = zip(*part, strict=True)
                super()._backend_update_step(list(gradients), list(variables), learning_rate * factor)
