"""The specs of a model's input and output tensors: what each axis is, sizes, dtype and quantization.

Axes are recognised from the shapes alone. Each is a letter. Input: N batch of one, H height, W width, C channels.
Output: H, W, K channels (scores of the classes), 1 an axis of length 1, F height and width flattened into one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelRejected
from model.tflite.card import SIDE_LIMIT_PX

CLASSES_LIMIT = 256  # a mask has 8 bits per pixel
CHANNELS = (3, 1)  # colour, grey
FLOAT: np.dtype[Any] = np.dtype(np.float32)
ANY = -1  # an axis whose length the model leaves open
FLAT_STRIDES = (1, 2, 4, 8)  # input pixels per pixel of a flattened output
OPEN_SIZE_LIMIT_PX = 512  # longer side of the input, for models of any input size


@dataclass(frozen=True)
class InputSpec:
    """The input tensor of a model.

    Attributes:
        axes: A letter for each axis: "NHWC", "NCHW", "HWC", "CHW", "NHW" or "HW".
        shape: Lengths of the axes; ANY where the model leaves one open.
        channels: 3 (colour) or 1 (grey).
        dtype: Type of the elements.
        scale: Step of the quantization: real = (stored - zero_point) * scale; 0 if not quantized.
        zero_point: Stored value that represents 0.
        stride: Number of pixels that open sides must be a multiple of.
    """

    axes: str
    shape: tuple[int, ...]
    channels: int
    dtype: np.dtype[Any] = FLOAT
    scale: float = 0.0
    zero_point: int = 0
    stride: int = 1

    @property
    def size_wh(self) -> tuple[int, int] | None:
        """Width and height in pixels; None if the model leaves one of them open."""
        size_wh = self.shape[self.axes.index("W")], self.shape[self.axes.index("H")]
        return None if ANY in size_wh else size_wh

    @property
    def max_wh(self) -> tuple[int, int]:
        """Width and height in pixels; the largest that `size_for` returns if the model leaves them open."""
        return self.size_wh or (OPEN_SIZE_LIMIT_PX, OPEN_SIZE_LIMIT_PX)

    def size_for(self, photo_wh: tuple[int, int]) -> tuple[int, int]:
        """Return the input size for a photo.

        Args:
            photo_wh: Width and height of the photo in pixels.

        Returns:
            Width and height in pixels: the model's own if it has one, else the photo's, scaled down to at most
            OPEN_SIZE_LIMIT_PX and rounded to a multiple of the stride.
        """
        if self.size_wh:
            return self.size_wh
        scale = min(1.0, OPEN_SIZE_LIMIT_PX / max(photo_wh))
        width, height = (max(self.stride, round(side * scale / self.stride) * self.stride) for side in photo_wh)
        return self.with_size((width, height)).size_wh or (width, height)

    def with_size(self, size_wh: tuple[int, int]) -> InputSpec:
        """Return the spec with its open axes set to a width and height; axes of a fixed length are kept."""
        lengths = {"N": 1, "C": self.channels, "W": size_wh[0], "H": size_wh[1]}
        axes = zip(self.axes, self.shape, strict=True)
        shape = tuple(lengths[axis] if length == ANY or axis == "N" else length for axis, length in axes)
        return replace(self, shape=shape)

    def as_float(self) -> InputSpec:
        """Return the spec of the same input in float32, without quantization."""
        return replace(self, dtype=FLOAT, scale=0.0, zero_point=0)

    def quantize(self, real: NDArray[np.float32]) -> NDArray[Any]:
        """Convert real values to the tensor's dtype: round(real / scale + zero_point), saturated.

        Integer tensors without a scale store the rounded values themselves.

        Args:
            real: float32, any shape.

        Returns:
            An array of the same shape and the tensor's dtype.
        """
        if self.dtype.kind == "f":
            return real.astype(self.dtype, copy=False)
        limits = np.iinfo(self.dtype)
        steps = real / self.scale + self.zero_point if self.scale else real
        return np.rint(steps).clip(limits.min, limits.max).astype(self.dtype)


@dataclass(frozen=True)
class OutputSpec:
    """The output tensor of a model that holds the segmentation.

    Attributes:
        index: Position among the model's outputs.
        name: Name of the tensor.
        axes: A letter for each axis.
        size_wh: Width and height in pixels, at the input size that it was read with.
        channels: Scores per pixel; 1 for class ids.
        dtype: Type of the elements.
        scale: Step of the quantization: real = (stored - zero_point) * scale; 0 if not quantized.
        zero_point: Stored value that represents 0.
    """

    index: int
    name: str
    axes: str
    size_wh: tuple[int, int]
    channels: int
    dtype: np.dtype[Any] = FLOAT
    scale: float = 0.0
    zero_point: int = 0

    def dequantize(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Convert values of the tensor's dtype to the real values they represent: (stored - zero_point) * scale.

        Without a scale, the values themselves are returned.

        Args:
            stored: any shape, of the tensor's dtype.

        Returns:
            A float32 array of the same shape.
        """
        real = stored.astype(np.float32, copy=False)
        return (real - np.float32(self.zero_point)) * np.float32(self.scale) if self.scale else real


def read_input_spec(details: list[dict[str, Any]]) -> InputSpec:
    """Return the spec of a model's input.

    Args:
        details: As returned by the interpreter's get_input_details().

    Raises:
        ModelRejected: If the model does not have exactly one input, or it is not an image of a supported size and
            number of channels.
    """
    if len(details) != 1:
        raise ModelRejected(f"the model has {len(details)} inputs; use one with a single image input")
    detail = details[0]
    shape = _open_shape(detail)
    axes, channels = _input_axes(shape)
    dtype = np.dtype(detail["dtype"])
    if dtype.kind not in "fiu":
        raise ModelRejected(f"the model's input has the type {dtype.name}; use one with a float or integer input")
    # Without a shape signature, converters write 1 or 0 as the length of an open side.
    shape = tuple(ANY if axis in "HW" and length <= 1 else length for axis, length in zip(axes, shape, strict=True))
    if max(length for axis, length in zip(axes, shape, strict=True) if axis in "HW") > SIDE_LIMIT_PX:
        raise ModelRejected(
            f"the model's input has the shape {list(shape)}; use one of at most {SIDE_LIMIT_PX} pixels a side"
        )
    scale, zero_point = detail["quantization"]
    return InputSpec(axes, shape, channels, dtype, float(scale), int(zero_point))


def _open_shape(detail: dict[str, Any]) -> tuple[int, ...]:
    """Return a tensor's shape with ANY for open axes."""
    shape = tuple(int(length) for length in detail["shape"])
    signature = tuple(int(length) for length in detail.get("shape_signature", ()))
    if len(signature) != len(shape):
        return shape or (ANY,) * 4  # a tensor of unknown rank: assume the usual one of image models
    return tuple(ANY if mark < 0 else length for length, mark in zip(shape, signature, strict=True))


def _input_axes(shape: tuple[int, ...]) -> tuple[str, int]:
    """Return the axes of an input and its number of channels."""
    if len(shape) == 4:
        return _batched_input_axes(shape)
    if len(shape) == 3:
        for channels in CHANNELS:
            if shape[2] == channels:
                return "HWC", channels
            if shape[0] == channels == 3:
                return "CHW", 3
        if shape[0] in (1, ANY):
            return "NHW", 1
    if len(shape) == 2 and min(shape) > 1:
        return "HW", 1
    raise ModelRejected(
        f"the model's input has the shape {list(shape)}, which is not an image; use a model that takes "
        "[1, height, width, 3]"
    )


def _batched_input_axes(shape: tuple[int, ...]) -> tuple[str, int]:
    if shape[3] == 3 or (shape[3] == 1 and shape[1] != 3):
        return "NHWC", shape[3]
    if shape[1] in CHANNELS:
        return "NCHW", shape[1]
    if ANY in (shape[1], shape[3]) and max(shape[1], shape[3]) not in range(2, 33):
        return "NHWC", 3
    channels = shape[3] if shape[1] == ANY or 0 < shape[3] <= shape[1] else shape[1]
    raise ModelRejected(f"the model's input has {channels} channels; use one with 3 (colour) or 1 (grey)")


def read_output_specs(
    details: list[dict[str, Any]], input_wh: tuple[int, int], output_wh: tuple[int, int] | None = None
) -> list[OutputSpec]:
    """Return the specs of those of a model's outputs that can be a segmentation.

    Args:
        details: As returned by the interpreter's get_output_details().
        input_wh: Width and height of the input that the details were read with.
        output_wh: Width and height of the output, if the model card states them.

    Raises:
        ModelRejected: If there is none.
    """
    specs, reasons = [], []
    for index, detail in enumerate(details):
        shape = tuple(int(length) for length in detail["shape"])
        dtype = np.dtype(detail["dtype"])
        axes = _output_axes(shape, input_wh, output_wh)
        lengths = dict(zip(axes or "", shape, strict=axes is not None))
        channels = lengths.get("K", 1)
        if axes is None or dtype.kind not in "fiub":
            reasons.append(f"{dtype.name} {list(shape)} does not match an input of {input_wh[0]} x {input_wh[1]}")
        elif channels > CLASSES_LIMIT:
            reasons.append(f"{list(shape)} has {channels} channels, and a mask at most {CLASSES_LIMIT} classes")
        else:
            size_wh = _flat_size(lengths["F"], input_wh, output_wh) if "F" in axes else (lengths["W"], lengths["H"])
            scale, zero_point = detail["quantization"]
            name = str(detail["name"])
            specs.append(OutputSpec(index, name, axes, size_wh, channels, dtype, float(scale), int(zero_point)))
    if not specs:
        raise ModelRejected(f"the model has no segmentation output: {'; '.join(reasons)}{_classifier_hint(details)}")
    return specs


def _classifier_hint(details: list[dict[str, Any]]) -> str:
    if len(details) != 1 or len([length for length in details[0]["shape"] if length > 1]) > 1:
        return ""
    return "; it looks like a classifier (one result per photo): use a segmentation model"


def _output_axes(shape: tuple[int, ...], input_wh: tuple[int, int], output_wh: tuple[int, int] | None) -> str | None:
    """Return the axes of an output; None if it is not a segmentation.

    Height and width are neighbouring axes, of the input's proportions within one pixel of rounding (models with a
    stride round). A third axis is that of the channels.
    """
    long_axes = [axis for axis, length in enumerate(shape) if length != 1]
    width, height = output_wh or input_wh
    candidates: list[dict[int, str]] = []
    if len(long_axes) in (1, 2):
        candidates += [{axis: "F"} for axis in long_axes if shape[axis] == width * height]
    if len(long_axes) in (2, 3):
        pairs = [(h, w) for h, w in pairwise(long_axes) if _similar_proportions(shape[w], shape[h], input_wh)]
        pairs.sort(key=lambda pair: (-_same_proportions(shape[pair[1]], shape[pair[0]], input_wh), pair))
        candidates += [{h: "H", w: "W"} for h, w in pairs]
    if len(long_axes) == 2:
        candidates += [{axis: "F"} for axis in long_axes if _flat_size(shape[axis], input_wh, output_wh) > (1, 1)]
    if not candidates:
        return None
    letters = dict.fromkeys(long_axes, "K") | candidates[0]
    return "".join(letters.get(axis, "1") for axis in range(len(shape)))


def _flat_size(length: int, input_wh: tuple[int, int], output_wh: tuple[int, int] | None) -> tuple[int, int]:
    """Return the width and height that are flattened to an axis of this length; (0, 0) if they are not known.

    They are the card's, or else those of the input or a fraction of it.
    """
    sizes = [output_wh] if output_wh else [(input_wh[0] // n, input_wh[1] // n) for n in FLAT_STRIDES]
    return next((size_wh for size_wh in sizes if size_wh[0] * size_wh[1] == length), (0, 0))


def _similar_proportions(width: int, height: int, input_wh: tuple[int, int]) -> bool:
    if min(width, height) <= 1:
        return False
    has_equal_border = 0 < input_wh[0] - width == input_wh[1] - height <= min(input_wh) // 2  # valid padding
    return has_equal_border or abs(width * input_wh[1] - height * input_wh[0]) <= max(input_wh)


def _same_proportions(width: int, height: int, input_wh: tuple[int, int]) -> bool:
    return width * input_wh[1] == height * input_wh[0]
