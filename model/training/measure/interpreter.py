"""A .tflite as a function of float arrays, whatever its tensors' types, run by the function's own TFLite runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.image import score_map
from model.tflite import card as cards
from model.tflite import loading, probe, runtime, verify
from model.tflite.card import ModelCard
from model.tflite.pool import InterpreterPool


class Interpreter:
    """A model that runs in one thread, from float input to float output.

    Attributes:
        runtime: Name of the TFLite runtime's package.
        xnnpack: Whether the runtime's XNNPACK delegate accepted the model.
        input: Spec of the input tensor.
        output: Spec of the output tensor.
        input_wh: Width and height of the input, in pixels; the largest if the model accepts any.
        classes: Channels of the output.
    """

    def __init__(self, file: Path) -> None:
        """Load a model.

        Args:
            file: A .tflite.

        Raises:
            FileNotFoundError: If there is no such file.
            ModelRejected: If it is not a segmentation model, or the runtime cannot load it.
        """
        if not file.is_file():
            raise FileNotFoundError(2, "no such file", str(file))
        verify.read_model(file)
        embedded = cards.read_values(file) or {}
        probed = probe.probe(file, loading.tensor_hints(ModelCard().with_values(embedded), embedded))
        self.runtime, self.xnnpack = runtime.RUNTIME, probed.xnnpack
        self.input, self.output = probed.input, probed.output
        self.input_wh = self.input.max_wh
        self.classes = self.output.channels
        self._pool = InterpreterPool(probed, 1)

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the model once.

        Args:
            tensor: float32, of the axes of `input`, normalized as the model expects.

        Returns:
            float32 (1, h', w', K).

        Raises:
            InferenceFailed: If the runtime cannot run the model on it.
        """
        height, width = (tensor.shape[self.input.axes.index(axis)] for axis in "HW")
        with self._pool.borrow(0) as interpreter:
            stored = self._pool.run(interpreter, self.input.quantize(tensor))
        return self.output.dequantize(score_map.to_hwk(stored, self.output, (width, height)))[np.newaxis]
