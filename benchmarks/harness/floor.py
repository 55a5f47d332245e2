"""The least that a mask can cost: each stage at its best, in this process, with nothing around it."""

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
from model.image import score_map

try:
    from tflite_runtime.interpreter import Interpreter
except ModuleNotFoundError:  # Python 3.12 and later
    from ai_edge_litert.interpreter import Interpreter

Pixels = NDArray[np.uint8]
Way = Callable[[Any], Any]
STAGES = ("decode", "infer", "mask", "encode")
Image.MAX_IMAGE_PIXELS = None


class Floor:
    """The ways there are to do each stage for one photo, of which the fastest that gives the right mask counts."""

    def __init__(self, photo: Photo, right: bytes, model: Path = MODEL) -> None:
        """Load the model, and find out which ways lead to the right mask.

        right: the PNG by `python -m model`
        """
        self.data, self.size_wh = photo.data, photo.size_wh
        self.card = masks.card(model)
        self.interpreter = Interpreter(model_path=str(model), num_threads=1)
        self.interpreter.allocate_tensors()
        _, height, width, _ = self.interpreter.get_input_details()[0]["shape"]
        self.input_wh = (int(width), int(height))
        wanted = masks.object_pixels(right)
        decoders = {
            "least DCT scale": partial(decode, cover=1, input_wh=self.input_wh),
            "twice the input": partial(decode, cover=2, input_wh=self.input_wh),
            "thumbnail first": partial(decode, cover=1, input_wh=self.input_wh, gap=2.0),
        }
        masking: dict[str, Way] = {"table": self.by_table, "packed bits": self.by_bits, "bands": self.by_bands}
        leads = {
            (one, two): bool((np.asarray(way(self.scores(decoders[one](self.data)))) == wanted).all())
            for one in decoders
            for two, way in masking.items()
        }
        self.same_mask = any(leads.values())
        good = {pair for pair, leads_there in leads.items() if leads_there or not self.same_mask}
        self.scored = self.scores(decoders[min(good)[0]](self.data))
        self.bits = self.by_bits(self.scored)
        self.ways: dict[str, dict[str, tuple[Way, Any]]] = {
            "decode": {name: (way, self.data) for name, way in decoders.items() if any(name == one for one, _ in good)},
            "infer": {"invoke": (lambda _: self.interpreter.invoke(), None)},
            "mask": {name: (way, self.scored) for name, way in masking.items() if any(name == two for _, two in good)},
            "encode": {f"level {level}": (partial(encode, level=level), self.bits) for level in (1, 3, 6)}
            | {"no filter": (partial(image_encode.binary_png, width=self.size_wh[0]), self.packed())},
        }
        self.times_ms: dict[str, dict[str, list[float]]] = {stage: defaultdict(list) for stage in STAGES}

    def visit(self, count: int) -> None:
        """Time every way of every stage, once to warm up and then so many times."""
        for stage, ways in self.ways.items():
            for name, (way, material) in ways.items():
                way(material)
                for _ in range(count):
                    began = time.perf_counter()
                    way(material)
                    self.times_ms[stage][name].append((time.perf_counter() - began) * 1000)

    def best(self) -> dict[str, tuple[str, float]]:
        """Give, for each stage, the fastest way and its median in milliseconds."""
        return {
            stage: min(((name, statistics.median(ms)) for name, ms in ways.items()), key=lambda pair: pair[1])
            for stage, ways in self.times_ms.items()
        }

    def scores(self, pixels: Pixels) -> NDArray[np.float32]:
        """Run the model: float32 (h, w)."""
        mean, std = (np.array(self.card[name], np.float32) for name in ("mean", "std"))
        self.interpreter.set_tensor(self.interpreter.get_input_details()[0]["index"], ((pixels - mean) / std)[None])
        self.interpreter.invoke()
        output: NDArray[np.float32] = self.interpreter.get_tensor(self.interpreter.get_output_details()[0]["index"])
        return output[0, :, :, 0]

    def by_table(self, scores: NDArray[np.float32]) -> Image.Image:
        """Enlarge as 8 bits, and decide by Pillow's table."""
        table = [255 * (value >= self.level) for value in range(256)]
        return self.enlarged(scores).point(table, "1")

    def by_bits(self, scores: NDArray[np.float32]) -> Image.Image:
        """Enlarge as 8 bits, and decide and pack by NumPy."""
        packed = np.packbits(np.asarray(self.enlarged(scores)) >= self.level, axis=1)
        return Image.frombytes("1", self.size_wh, packed.tobytes())

    def by_bands(self, scores: NDArray[np.float32]) -> Image.Image:
        """Enlarge, decide and pack a band at a time, as the function does."""
        packed = score_map.bits(scores[..., np.newaxis], self.card["threshold"], self.size_wh)
        return Image.frombytes("1", self.size_wh, packed.tobytes())

    def packed(self) -> Pixels:
        """Give the mask's bits: uint8 (H, W / 8 rounded up)."""
        return np.frombuffer(self.bits.tobytes(), np.uint8).reshape(self.size_wh[1], -1)

    def enlarged(self, scores: NDArray[np.float32]) -> Image.Image:
        """Scale the scores to the photo's size."""
        eight_bits = (scores.clip(0, 1) * 255).round().astype(np.uint8)
        return Image.fromarray(eight_bits).resize(self.size_wh, Image.Resampling.BILINEAR)

    @property
    def level(self) -> int:
        """Give the least 8-bit score that is object."""
        threshold: float = self.card["threshold"]
        return max(1, math.ceil(threshold * 255))


def decode(data: bytes, cover: int, input_wh: tuple[int, int], gap: float | None = None) -> Pixels:
    """Decode a photo to the model's input: uint8 (h, w, 3)."""
    side = cover * max(input_wh)
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (side, side))
        small = image.convert("RGB").resize(input_wh, Image.Resampling.BILINEAR, reducing_gap=gap)
    return np.asarray(small)


def encode(image: Image.Image, level: int) -> bytes:
    """Write a PNG."""
    with io.BytesIO() as file:
        image.save(file, "PNG", compress_level=level)
        return file.getvalue()
