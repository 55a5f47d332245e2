"""The same model behind LitServe."""

import argparse
import base64
import io
import os
from typing import Any

import litserve
import numpy as np
from fastapi import Response
from PIL import Image

try:
    from tflite_runtime.interpreter import Interpreter
except ModuleNotFoundError:  # Python 3.12 and later
    from ai_edge_litert.interpreter import Interpreter

MEAN, STD, THRESHOLD = 127.0, 128.0, 0.5


def quantize(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Convert values to the type of a quantized tensor; leave those of a float tensor as they are."""
    scale, zero_point = details["quantization"]
    if not scale:
        return values
    limits = np.iinfo(details["dtype"])
    return np.clip(np.round(values / scale) + zero_point, limits.min, limits.max).astype(details["dtype"])


def dequantize(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Convert the values of a quantized tensor to float32; leave those of a float tensor as they are."""
    scale, zero_point = details["quantization"]
    return (values.astype(np.float32) - zero_point) * np.float32(scale) if scale else values


class Segmentation(litserve.LitAPI):
    """Segments a photo."""

    def setup(self, device: str) -> None:
        """Load the model, once in each worker process."""
        self.interpreter = Interpreter(model_path=os.environ["MODEL"])
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]
        self.output = self.interpreter.get_output_details()[0]

    def decode_request(self, request: dict[str, str]) -> Image.Image:
        """Decode the photo, which is base64 in JSON as in LitServe's examples."""
        return Image.open(io.BytesIO(base64.b64decode(request["image"]))).convert("RGB")

    def predict(self, photo: Image.Image) -> Image.Image:
        """Return the mask of the photo."""
        height, width = self.input["shape"][1:3]
        small = np.asarray(photo.resize((width, height), Image.Resampling.BILINEAR), np.float32)
        self.interpreter.set_tensor(self.input["index"], quantize((small[np.newaxis] - MEAN) / STD, self.input))
        self.interpreter.invoke()
        scores = dequantize(self.interpreter.get_tensor(self.output["index"])[0, :, :, 0], self.output)
        large = Image.fromarray(scores).resize(photo.size, Image.Resampling.BILINEAR)
        return Image.fromarray(((np.asarray(large) >= THRESHOLD) * 255).astype(np.uint8))

    def encode_response(self, mask: Image.Image) -> Response:
        """Encode the mask as PNG."""
        file = io.BytesIO()
        mask.save(file, "PNG")
        return Response(file.getvalue(), media_type="image/png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    server = litserve.LitServer(Segmentation(), accelerator="cpu", workers_per_device=options.workers)
    server.run(host="127.0.0.1", port=options.port, generate_client_file=False)
