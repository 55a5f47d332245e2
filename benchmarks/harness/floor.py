"""A lower bound of the latency: each stage by its fastest method, in one process with nothing around it."""

from __future__ import annotations

import io
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.harness import masks
from benchmarks.harness.options import MODEL
from benchmarks.harness.photos import Photo
from model.image import encode as image_encode
from model.image.score_map import ScoreMap

try:
    from tflite_runtime.interpreter import Interpreter
except ModuleNotFoundError:  # Python 3.12 and later
    from ai_edge_litert.interpreter import Interpreter

Pixels = NDArray[np.uint8]
Scores = NDArray[np.float32]
Method = Callable[[Any], Any]
STAGES = ("decode", "infer", "mask", "encode")
Image.MAX_IMAGE_PIXELS = None


class Floor:
    """Times the alternative methods of each stage for one photo; only those that lead to the right mask count.

    Attributes:
        same_mask: Whether any combination of methods leads to the reference mask. If none does, all of them count.
        methods: For each stage, the methods by name, each with its input.
        times_ms: For each stage and method, the times measured.
    """

    def __init__(self, photo: Photo, reference_png: bytes, model: Path = MODEL) -> None:
        """Load the model and select the methods.

        Args:
            photo: Photo to segment.
            reference_png: Mask of `python -m model`.
            model: Path of the model.
        """
        self.data, self.size_wh = photo.data, photo.size_wh
        self.card = masks.card(model)
        self.interpreter = Interpreter(model_path=str(model), num_threads=1)
        self.interpreter.allocate_tensors()
        _, height, width, _ = self.interpreter.get_input_details()[0]["shape"]
        input_wh = (int(width), int(height))
        decoders: dict[str, Method] = {
            "smallest DCT scale": partial(decode, cover=1, input_wh=input_wh),
            "twice the input": partial(decode, cover=2, input_wh=input_wh),
            "reducing gap": partial(decode, cover=1, input_wh=input_wh, gap=2.0),
        }
        maskers: dict[str, Method] = {
            "lookup table": self.mask_by_table,
            "packed bits": self.mask_by_packing,
            "bands": self.mask_by_bands,
        }
        expected = masks.object_pixels(reference_png)
        correct = {
            (decoder, masker): bool((np.asarray(mask(self.scores(decoders[decoder](self.data)))) == expected).all())
            for decoder in decoders
            for masker, mask in maskers.items()
        }
        self.same_mask = any(correct.values())
        pairs = sorted(pair for pair, is_correct in correct.items() if is_correct or not self.same_mask)
        scores = self.scores(decoders[pairs[0][0]](self.data))
        mask = self.mask_by_packing(scores)
        packed = np.frombuffer(mask.tobytes(), np.uint8).reshape(self.size_wh[1], -1)
        self.methods: dict[str, dict[str, tuple[Method, Any]]] = {
            "decode": {name: (decoders[name], self.data) for name, _ in pairs},
            "infer": {"invoke": (lambda _: self.interpreter.invoke(), None)},
            "mask": {name: (maskers[name], scores) for _, name in pairs},
            "encode": {f"level {level}": (partial(encode, level=level), mask) for level in (1, 3, 6)}
            | {"no filter": (partial(image_encode.binary_png, width=self.size_wh[0]), packed)},
        }
        self.times_ms: dict[str, dict[str, list[float]]] = {stage: defaultdict(list) for stage in STAGES}

    def measure(self, count: int) -> None:
        """Time every method of every stage `count` times, after one untimed call."""
        for stage, methods in self.methods.items():
            for name, (method, argument) in methods.items():
                method(argument)
                for _ in range(count):
                    start = time.perf_counter()
                    method(argument)
                    self.times_ms[stage][name].append((time.perf_counter() - start) * 1000)

    def fastest(self) -> dict[str, tuple[str, float]]:
        """Return, for each stage, the fastest method and its median in milliseconds."""
        return {
            stage: min(((name, statistics.median(ms)) for name, ms in methods.items()), key=lambda pair: pair[1])
            for stage, methods in self.times_ms.items()
        }

    def scores(self, pixels: Pixels) -> Scores:
        """Run the model on uint8 (h, w, 3) and return its scores, float32 (h, w)."""
        given, wanted = self.interpreter.get_input_details()[0], self.interpreter.get_output_details()[0]
        mean, std = (np.array(self.card[name], np.float32) for name in ("mean", "std"))
        values = ((pixels - mean) / std)[np.newaxis]
        scale, zero_point = given["quantization"]
        if scale:
            limits = np.iinfo(given["dtype"])
            values = np.clip(np.round(values / scale) + zero_point, limits.min, limits.max).astype(given["dtype"])
        self.interpreter.set_tensor(given["index"], values)
        self.interpreter.invoke()
        scores: Scores = self.interpreter.get_tensor(wanted["index"])[0, :, :, 0]
        scale, zero_point = wanted["quantization"]
        return (scores.astype(np.float32) - zero_point) * np.float32(scale) if scale else scores

    def mask_by_table(self, scores: Scores) -> Image.Image:
        """Enlarge the scores as bytes and apply the threshold by a lookup table of Pillow."""
        table = [255 * (value >= self.threshold_level) for value in range(256)]
        return self.enlarged(scores).point(table, "1")

    def mask_by_packing(self, scores: Scores) -> Image.Image:
        """Enlarge the scores as bytes, apply the threshold and pack the bits by NumPy."""
        packed = np.packbits(np.asarray(self.enlarged(scores)) >= self.threshold_level, axis=1)
        return Image.frombytes("1", self.size_wh, packed.tobytes())

    def mask_by_bands(self, scores: Scores) -> Image.Image:
        """Enlarge, apply the threshold and pack band by band, as the function does."""
        packed = ScoreMap(scores[..., np.newaxis]).packed(self.size_wh, self.card["threshold"], 1)
        return Image.frombytes("1", self.size_wh, packed.tobytes())

    def enlarged(self, scores: Scores) -> Image.Image:
        """Resize scores to the photo's size, as bytes."""
        levels = (scores.clip(0, 1) * 255).round().astype(np.uint8)
        return Image.fromarray(levels).resize(self.size_wh, Image.Resampling.BILINEAR)

    @property
    def threshold_level(self) -> int:
        """The smallest byte that is object."""
        threshold: float = self.card["threshold"]
        return max(1, math.ceil(threshold * 255))


def decode(data: bytes, cover: int, input_wh: tuple[int, int], gap: float | None = None) -> Pixels:
    """Decode a photo and resize it to the model's input, uint8 (h, w, 3).

    Args:
        data: Bytes of the image file.
        cover: Decode a JPEG at the smallest scale that covers this multiple of the input's longer side.
        input_wh: Width and height of the model's input.
        gap: `reducing_gap` of `Image.resize`.
    """
    side = cover * max(input_wh)
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (side, side))
        small = image.convert("RGB").resize(input_wh, Image.Resampling.BILINEAR, reducing_gap=gap)
    return np.asarray(small)


def encode(image: Image.Image, level: int) -> bytes:
    """Encode a PNG with a compression level of zlib."""
    with io.BytesIO() as file:
        image.save(file, "PNG", compress_level=level)
        return file.getvalue()
