"""The whole story of a photo, from bytes to bytes."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model import card as cards
from model import engine, mask, photo, render, resize, tensor
from model.card import ModelCard
from model.engine import Engine
from model.errors import ModelNotFound, ModelRejected
from model.options import Options
from model.settings import Settings


class Stopwatch:
    """Milliseconds by stage, in the order the stages ended."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, stage: str) -> None:
        """Give a stage the time since the stage before it."""
        now = time.perf_counter()
        self.ms[stage] = (now - self._last) * 1000
        self._last = now


@dataclass(frozen=True)
class Answer:
    """What a caller gets, and the milliseconds that each stage of it took."""

    body: bytes
    content_type: str
    stages_ms: dict[str, float]


class Segmenter:
    """One model, loaded, and what it says of photos.

    card: what the model's tensors mean
    sha256: of the model's file, in hex
    """

    def __init__(self, settings: Settings) -> None:
        """Load the model.

        raises: ModelNotFound, ModelRejected
        """
        file = Path(settings.model_uri)
        if not file.is_file():
            raise ModelNotFound(f"there is no model at {settings.model_uri}")
        self.settings = settings
        self.card = cards.read(file) or ModelCard()
        self.engine = Engine(file, settings.interpreters)
        if max(2, self.engine.classes) != len(self.card.labels):
            raise ModelRejected(f"the card names {len(self.card.labels)} classes, the model has {self.engine.classes}")
        with file.open("rb") as stream:
            self.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()

    def segment(self, data: bytes, options: Options) -> Answer:
        """Turn an uploaded photo into what its options ask for.

        It waits for an interpreter before anything is decoded: who waits holds bytes, not pixels.
        raises: PhotoError, InferenceFailed, Busy
        """
        watch = Stopwatch()
        with self.engine.borrow(self.settings.wait_limit_s) as interpreter:
            watch.mark("wait")
            shot = photo.decode(data, self._enough_wh(options), self.settings.max_pixels)
            watch.mark("decode")
            output = engine.run(interpreter, tensor.to_input(shot.pixels, self.engine.input_wh, self.card))
            scores = tensor.to_scores(output, self.card)
            watch.mark("infer")
            picture = self._picture(scores, options, shot.size_wh)
            watch.mark("mask")
            body = self._encode(shot.pixels, picture, options)
            watch.mark("encode")
        return Answer(body, "application/json" if options.output == "json" else "image/png", watch.ms)

    def raw(self, data: bytes) -> NDArray[np.float32]:
        """Run the model on a photo and give its output tensor as it is.

        returns: float32 (1, h, w, K)
        raises: PhotoError, InferenceFailed, Busy
        """
        with self.engine.borrow(self.settings.wait_limit_s) as interpreter:
            shot = photo.decode(data, self.engine.input_wh, self.settings.max_pixels)
            return engine.run(interpreter, tensor.to_input(shot.pixels, self.engine.input_wh, self.card))

    def _enough_wh(self, options: Options) -> tuple[int, int] | None:
        """Tell how far to decode: what shows the photo itself needs all of it."""
        whole = options.output in ("overlay", "cutout") and options.size == "photo"
        return None if whole else self.engine.input_wh

    def _picture(self, scores: NDArray[np.float32], options: Options, photo_wh: tuple[int, int]) -> NDArray[np.uint8]:
        """Make the uint8 (H, W) that the output shows: class ids, or a probability or alpha of 0-255."""
        size_wh = photo_wh if options.size == "photo" else (scores.shape[1], scores.shape[0])
        if options.output == "probability":
            return mask.probability(scores, options.class_id, size_wh)
        if options.output == "cutout":
            return mask.alpha(scores, options.class_id, options.threshold, size_wh)
        return mask.from_scores(scores, options.threshold, size_wh)

    def _encode(self, pixels: NDArray[np.uint8], picture: NDArray[np.uint8], options: Options) -> bytes:
        height, width = picture.shape
        match options.output:
            case "probability":
                return render.grey_png(picture)
            case "cutout":
                return render.cutout_png(resize.bilinear(pixels, (width, height)), picture)
            case "overlay":
                pixels = resize.bilinear(pixels, (width, height))
                return render.overlay_png(pixels, picture, self.card, options.class_id)
            case "json":
                return render.summary_json(picture, self.card, options.class_id)
        if options.class_id is not None:
            picture = (picture == options.class_id).view(np.uint8)
        elif len(self.card.labels) > 2:
            return render.palette_png(picture, self.card)
        return render.binary_png(picture)
