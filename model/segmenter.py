"""The whole story of a photo, from bytes to bytes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.gcs import download
from model.image import decode, encode, preprocess, resize, score_map
from model.options import Options
from model.serving.settings import Settings
from model.tflite import loading, runtime


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

    def take(self, stages_ms: dict[str, float]) -> None:
        """Take over the stages that another watch has measured since the last."""
        self.ms |= stages_ms
        self._last = time.perf_counter()


@dataclass(frozen=True)
class Answer:
    """What a caller gets, how large the photo was, and the milliseconds that each stage took."""

    body: bytes
    content_type: str
    photo_wh: tuple[int, int]
    stages_ms: dict[str, float]


class Segmenter:
    """One model, loaded, and what it says of photos.

    card: what the model's tensors mean
    sha256: of the model's file, in hex
    notes: what is out of the ordinary about the model, in words
    """

    def __init__(self, settings: Settings, model_file: download.ModelFile | None = None) -> None:
        """Load the model.

        model_file: the model's file; by default the one that the settings name
        raises: ModelNotFound, ModelRejected
        """
        if model_file is None:
            model_file = download.get_model_file(
                settings.model_uri, settings.model_sha256, settings.model_fetch_timeout_s
            )
        self.settings = settings
        self.sha256 = model_file.sha256
        self.model = loading.load(model_file.path, settings.interpreters)
        self.card, self.notes = self.model.card, self.model.notes
        self.card_version = self.card.version
        if model_file.generation:
            self.card = replace(self.card, version=model_file.generation)

    def segment(self, data: bytes, options: Options) -> Answer:
        """Turn an uploaded photo into what its options ask for.

        It waits for an interpreter before anything is decoded: who waits holds bytes, not pixels.
        raises: PhotoError, InferenceFailed, Busy
        """
        watch = Stopwatch()
        with self.model.pool.borrow(self.settings.wait_limit_s) as interpreter:
            watch.mark("wait")
            shot = decode.decode(data, self._enough_wh(options), self.settings.max_pixels)
            watch.mark("decode")
            size_wh = self.model.input.size_for(shot.size_wh)
            output = self._infer(interpreter, shot.pixels, size_wh)
            scores = loading.scores(output, self.model.output, size_wh, self.card)
            watch.mark("infer")
            box = self._box(scores, shot, size_wh)
            asked_wh = _asked_wh(options, shot, box)
            picture = self._picture(scores, options, asked_wh, box)
            watch.mark("mask")
            body = self._encode(shot.pixels, picture, options, asked_wh)
            watch.mark("encode")
        content_type = "application/json" if options.output == "json" else "image/png"
        return Answer(body, content_type, shot.size_wh, watch.ms)

    def raw(self, data: bytes) -> NDArray[Any]:
        """Run the model on a photo and give its output tensor as it is.

        raises: PhotoError, InferenceFailed, Busy
        """
        with self.model.pool.borrow(self.settings.wait_limit_s) as interpreter:
            shot = decode.decode(data, self.model.input.max_wh, self.settings.max_pixels)
            return self._infer(interpreter, shot.pixels, self.model.input.size_for(shot.size_wh))

    def _infer(self, interpreter: Any, pixels: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[Any]:
        """Run the model on pixels at an input size, and give its output tensor as it is."""
        return self.model.pool.run(interpreter, preprocess.to_input(pixels, size_wh, self.card, self.model.input))

    def about(self) -> dict[str, Any]:
        """Say what the model is, what it takes and what it gives, as it goes into JSON."""
        card, taken, given = self.card, self.model.input, self.model.output
        size_wh = taken.size_wh or (None, None)
        return {
            "name": card.name,
            "version": card.version,
            "card_version": self.card_version,
            "sha256": self.sha256,
            "description": card.description,
            "licence": card.licence,
            "card": card.source,
            "notes": self.notes,
            "input": {
                "width": size_wh[0],
                "height": size_wh[1],
                "channels": taken.channels,
                "axes": taken.axes,
                "dtype": taken.dtype.name,
                "scale": taken.scale,
                "zero_point": taken.zero_point,
                **{name: getattr(card, name) for name in ("order", "mean", "std", "fit", "fill")},
            },
            "output": {
                "index": given.index,
                "name": given.name,
                "width": given.size_wh[0] if taken.size_wh else None,
                "height": given.size_wh[1] if taken.size_wh else None,
                "channels": given.channels,
                "axes": given.axes,
                "dtype": given.dtype.name,
                "scale": given.scale,
                "zero_point": given.zero_point,
            },
            "activation": card.activation,
            "threshold": card.threshold,
            "background": card.background,
            "classes": [{"id": i, "name": name, "colour": card.palette[i]} for i, name in enumerate(card.labels)],
            "runtime": runtime.RUNTIME,
        }

    def _enough_wh(self, options: Options) -> tuple[int, int] | None:
        """Tell how far to decode: what shows the photo itself needs all of it."""
        whole = options.output in ("overlay", "cutout") and options.size == "photo"
        return None if whole else self.model.input.max_wh

    def _picture(
        self, scores: score_map.Scores, options: Options, size_wh: tuple[int, int], box: resize.Box
    ) -> NDArray[np.uint8]:
        """Make what the output shows: uint8 (H, W) class ids, probability or alpha of 0-255; or the bits of a mask."""
        background = self.card.background
        if options.output == "probability":
            return score_map.probability(scores, options.class_id, size_wh, background, box)
        if options.output == "cutout":
            return score_map.alpha(scores, options.class_id, options.threshold, size_wh, background, box)
        if self._one_bit(options) and options.class_id is None and scores.ndim == 3:
            return score_map.bits(scores, options.threshold, size_wh, background, box)
        ids = score_map.from_scores(scores, options.threshold, size_wh, background, box)
        if not self._one_bit(options):
            return ids
        thing = 0 if background == 1 else 1
        return np.packbits(ids == (thing if options.class_id is None else options.class_id), axis=1)

    def _one_bit(self, options: Options) -> bool:
        """Tell whether the mask asked for says no more than yes and no."""
        return options.output == "mask" and (options.class_id is not None or len(self.card.labels) == 2)

    def _box(self, scores: score_map.Scores, shot: decode.Photo, input_wh: tuple[int, int]) -> resize.Box:
        """Tell which part of the scores shows the photo, in pixels of theirs."""
        height, width = shot.pixels.shape[:2]
        left, top, right, bottom = preprocess.placement((width, height), input_wh, self.card.fit)
        x, y = scores.shape[1] / input_wh[0], scores.shape[0] / input_wh[1]
        return left * x, top * y, right * x, bottom * y

    def _encode(
        self, pixels: NDArray[np.uint8], picture: NDArray[np.uint8], options: Options, size_wh: tuple[int, int]
    ) -> bytes:
        match options.output:
            case "probability":
                return encode.grey_png(picture)
            case "cutout":
                return encode.cutout_png(resize.bilinear(pixels, size_wh), picture)
            case "overlay":
                return encode.overlay_png(resize.bilinear(pixels, size_wh), picture, self.card, options.class_id)
            case "json":
                return encode.summary_json(picture, self.card, options.class_id)
        if self._one_bit(options):
            return encode.binary_png(picture, size_wh[0])
        return encode.palette_png(picture, self.card)


def _asked_wh(options: Options, shot: decode.Photo, box: resize.Box) -> tuple[int, int]:
    """Give the size of the answer: the photo's own, or the model's."""
    if options.size == "model":
        return max(1, round(box[2] - box[0])), max(1, round(box[3] - box[1]))
    return shot.size_wh
