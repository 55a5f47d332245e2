"""A .tflite as a function of float arrays, whatever its tensors' types, run by the function's own TFLite runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelRejected
from model.image import score_map
from model.tflite import card as cards
from model.tflite import loading, probe, runtime, verify
from model.tflite.card import ModelCard


class Interpreter:
    """A model that runs in one thread, from float input to float output.

    Attributes:
        runtime: Name of the TFLite runtime's package.
        xnnpack: Whether the runtime's XNNPACK delegate accepted the model.
        input: Spec of the input tensor.
        output: Spec of the output tensor.
        input_wh: Width and height of the input, in pixels.
        classes: Channels of the output.
    """

    def __init__(self, file: Path) -> None:
        """Load a model.

        Args:
            file: A .tflite.

        Raises:
            FileNotFoundError: If there is no such file.
            ModelRejected: If it is not a valid .tflite, the runtime cannot load it, or its input is not of a fixed
                size with 3 channels last.
        """
        if not file.is_file():
            raise FileNotFoundError(2, "no such file", str(file))
        verify.read_model(file)
        embedded = cards.read_values(file) or {}
        probed = probe.probe(file, loading.tensor_hints(ModelCard().with_values(embedded), embedded))
        self.runtime, self.xnnpack = runtime.RUNTIME, probed.xnnpack
        self.input, self.output = probed.input, probed.output
        if self.input.axes != "NHWC" or self.input.channels != 3 or self.input.size_wh is None:
            shape = list(self.input.shape)
            raise ModelRejected(f"the input of {file.name} has the shape {shape}; it must be (1, height, width, 3)")
        self.input_wh = self.input.size_wh
        self.classes = self.output.channels
        self._interpreter = probed.interpreter
        self._input_index = self._interpreter.get_input_details()[0]["index"]
        self._output_index = self._interpreter.get_output_details()[self.output.index]["index"]

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the model once.

        Args:
            tensor: float32 (1, h, w, 3), normalized as the model expects.

        Returns:
            float32 (1, h', w', K).
        """
        self._interpreter.set_tensor(self._input_index, self.input.quantize(tensor))
        self._interpreter.invoke()
        stored = self._interpreter.get_tensor(self._output_index)
        return self.output.dequantize(score_map.to_hwk(stored, self.output, self.input_wh))[np.newaxis]
