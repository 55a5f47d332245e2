"""The pipeline of a request: from an uploaded photo to the encoded output."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import Busy
from model.image import decode, preprocess, score_map
from model.image.decode import DecodedPhoto
from model.options import Options
from model.outputs import OUTPUTS, SegmentedPhoto
from model.tflite import loading, runtime, trial


class Stopwatch:
    """Measures the stages of a request.

    Attributes:
        ms: Milliseconds by stage, in the order in which the stages ended.
    """

    def __init__(self) -> None:
        """Start the first stage."""
        self.ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, stage: str) -> None:
        """End a stage: its time is that since the last one ended."""
        now = time.perf_counter()
        self.ms[stage] = (now - self._last) * 1000
        self._last = now

    def merge(self, stages_ms: dict[str, float]) -> None:
        """Add stages that another stopwatch has measured since the last one ended."""
        self.ms |= stages_ms
        self._last = time.perf_counter()


class SegmentResult(NamedTuple):
    """The output for one photo.

    Attributes:
        body: The encoded output.
        content_type: Its media type.
        photo_wh: Width and height of the photo, upright.
        stages_ms: Milliseconds that each stage took.
    """

    body: bytes
    content_type: str
    photo_wh: tuple[int, int]
    stages_ms: dict[str, float]


class Segmenter:
    """A loaded model that segments photos. Any number of threads may use it at once.

    Attributes:
        model: The loaded model.
        card: What its tensors mean; the model's card, but for the version of a downloaded model.
        sha256: Checksum of the model's file, in hex.
        notes: What is unusual about the model, for the log.
    """

    def __init__(
        self,
        file: Path,
        sha256: str,
        *,
        interpreters: int,
        wait_limit_s: float,
        max_pixels: int,
        generation: str = "",
    ) -> None:
        """Load a model.

        Args:
            file: The .tflite file.
            sha256: Its checksum, in hex.
            interpreters: How many photos may be processed at once.
            wait_limit_s: How long a photo may wait for an interpreter.
            max_pixels: The largest photo, in pixels.
            generation: The generation of the Cloud Storage object that the file was downloaded from. If given, it is
                reported as the model's version.

        Raises:
            ModelRejected: If the file is not a segmentation model that this runtime can run.
        """
        self.sha256 = sha256
        trial.check(file, sha256)
        self.model = loading.load(file, interpreters, sha256)
        self.card, self.notes = self.model.card, self.model.notes
        self._card_version = self.card.version
        if generation:
            self.card = replace(self.card, version=generation)
        self._wait_limit_s = wait_limit_s
        self._max_pixels = max_pixels

    def segment(self, data: bytes, options: Options) -> SegmentResult:
        """Segment a photo.

        It waits for an interpreter before it decodes the photo, so that waiting requests hold only the uploaded bytes.

        Args:
            data: The photo as uploaded.
            options: What to output.

        Returns:
            The encoded output.

        Raises:
            PhotoError: If the photo cannot be decoded or is too large.
            Busy: If no interpreter becomes free in time, or there is not enough memory.
            InferenceFailed: If the runtime fails.
        """
        watch, output = Stopwatch(), OUTPUTS[options.output]
        show: decode.Show = "no" if not output.shows_photo else "full" if options.size == "photo" else "reduced"
        with self._borrow() as interpreter:
            watch.mark("wait")
            photo = decode.decode(data, self.model.input.max_wh, self._max_pixels, show=show)
            watch.mark("decode")
            scores = self._scores(interpreter, photo)
            watch.mark("infer")
            shown = photo.pixels if photo.shown is None else photo.shown
            output_wh = scores.size_wh if options.size == "model" else photo.size_wh
            encode = output.render(SegmentedPhoto(shown, scores, output_wh, photo.dpi), options, self.card)
            watch.mark("mask")
            body = encode()
            watch.mark("encode")
        content_type = f"image/{options.format}" if output.shows_photo else output.content_type
        return SegmentResult(body, content_type, photo.size_wh, watch.ms)

    def raw_output(self, data: bytes) -> NDArray[Any]:
        """Return the model's output tensor for a photo.

        Args:
            data: The photo as uploaded.

        Returns:
            The tensor, of the model's own shape and dtype.

        Raises:
            PhotoError: If the photo cannot be decoded or is too large.
            Busy: If no interpreter becomes free in time, or there is not enough memory.
            InferenceFailed: If the runtime fails.
        """
        with self._borrow() as interpreter:
            photo = decode.decode(data, self.model.input.max_wh, self._max_pixels)
            return self._infer(interpreter, photo.pixels, self.model.input.size_for(photo.size_wh))

    def describe(self) -> dict[str, Any]:
        """Return what the model is, its input and its output, as values for JSON."""
        card = self.card
        return {
            "name": card.name,
            "version": card.version,
            "card_version": self._card_version,
            "sha256": self.sha256,
            "description": card.description,
            "licence": card.licence,
            "card": card.source,
            "card_sources": self.model.sources,
            "notes": self.notes,
            "input": self._describe_input(),
            "output": self._describe_output(),
            "activation": card.activation,
            "threshold": card.threshold,
            "thresholds": card.thresholds,
            "background": card.background,
            "classes": [{"id": i, "name": name, "colour": card.palette[i]} for i, name in enumerate(card.labels)],
            "runtime": runtime.RUNTIME,
        }

    @contextmanager
    def _borrow(self) -> Iterator[Any]:
        """Lend an interpreter; a lack of memory in the body of the with statement is raised as Busy."""
        try:
            with self.model.pool.borrow(self._wait_limit_s) as interpreter:
                yield interpreter
        except MemoryError as error:
            raise Busy("not enough memory for this photo now; retry in a moment") from error

    def _scores(self, interpreter: Any, photo: DecodedPhoto) -> score_map.ScoreMap:
        input_wh = self.model.input.size_for(photo.size_wh)
        height, width = photo.pixels.shape[:2]
        box = preprocess.photo_box((width, height), input_wh, self.card.fit)
        if self.card.border:
            stored = self._infer_tiled(interpreter, photo.pixels, input_wh)
        else:
            output = self._infer(interpreter, photo.pixels, input_wh)
            stored = score_map.to_hwk(output, self.model.output, input_wh)
        return score_map.from_stored(stored, self.model.output, self.card, input_wh, box)

    def _infer_tiled(self, interpreter: Any, pixels: NDArray[np.uint8], input_wh: tuple[int, int]) -> NDArray[Any]:
        """Return the output for a whole photo of a model whose output covers the middle of its input, as (h, w, K)."""
        from model.image import overlap_tile  # few models need it

        def run(tensor: NDArray[Any]) -> NDArray[Any]:
            return score_map.to_hwk(self.model.pool.run(interpreter, tensor), self.model.output, input_wh)

        return overlap_tile.infer(run, pixels, input_wh, self.card, self.model.input)

    def _infer(self, interpreter: Any, pixels: NDArray[np.uint8], input_wh: tuple[int, int]) -> NDArray[Any]:
        return self.model.pool.run(interpreter, preprocess.to_input(pixels, input_wh, self.card, self.model.input))

    def _describe_input(self) -> dict[str, Any]:
        spec = self.model.input
        width, height = spec.size_wh or (None, None)
        return {
            "width": width,
            "height": height,
            "channels": spec.channels,
            "axes": spec.axes,
            "dtype": spec.dtype.name,
            "scale": spec.scale,
            "zero_point": spec.zero_point,
            **{name: getattr(self.card, name) for name in ("order", "mean", "std", "fit", "fill", "border")},
        }

    def _describe_output(self) -> dict[str, Any]:
        spec = self.model.output
        width, height = spec.size_wh if self.model.input.size_wh else (None, None)
        return {
            "index": spec.index,
            "name": spec.name,
            "width": width,
            "height": height,
            "channels": spec.channels,
            "axes": spec.axes,
            "dtype": spec.dtype.name,
            "scale": spec.scale,
            "zero_point": spec.zero_point,
        }
