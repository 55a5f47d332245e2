"""What the axes of a model's tensors are, told from their shapes alone.

Axes are letters: N one photo, H, W, C for the input; H, W, K, "1" for an axis of one, F for H and W
flattened into one, for the output.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelRejected
from model.tflite.card import SIDE_LIMIT_PX

CLASSES_LIMIT = 256  # a mask has 8 bits for a pixel
CHANNELS = (3, 1)  # colour, grey
FLOAT: np.dtype[Any] = np.dtype(np.float32)
ANY = -1  # a side that the model leaves open


@dataclass(frozen=True)
class InputSpec:
    """What the model takes.

    axes: a letter for each axis of its tensor: "NHWC", "NCHW", "HWC", "CHW", "NHW" or "HW"
    shape: sides of the tensor; ANY where the model leaves one open
    dtype, scale, zero_point: a number is (what is stored - zero_point) * scale; a scale of 0 says nothing
    """

    axes: str
    shape: tuple[int, ...]
    channels: int
    dtype: np.dtype[Any] = FLOAT
    scale: float = 0.0
    zero_point: int = 0

    @property
    def size_wh(self) -> tuple[int, int] | None:
        """Width and height, None when the model leaves one of them open."""
        size_wh = self._side("W"), self._side("H")
        return None if ANY in size_wh else size_wh

    def sized(self, size_wh: tuple[int, int]) -> InputSpec:
        """Fix the sides that are open; those that are fixed stay."""
        known = {"N": 1, "C": self.channels, "W": size_wh[0], "H": size_wh[1]}
        sides = zip(self.axes, self.shape, strict=True)
        shape = tuple(known[axis] if side == ANY or axis == "N" else side for axis, side in sides)
        return InputSpec(self.axes, shape, self.channels, self.dtype, self.scale, self.zero_point)

    def quantize(self, real: NDArray[np.float32]) -> NDArray[Any]:
        """Convert real values to the tensor's dtype: round(real / scale) + zero_point, saturated.

        Without a scale, values are rounded as they are.

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

    def _side(self, axis: str) -> int:
        return self.shape[self.axes.index(axis)]


@dataclass(frozen=True)
class OutputSpec:
    """What the model gives.

    index: which of its outputs this is
    axes: a letter for each axis of its tensor
    size_wh: of the map, at the input size that it was read with
    classes: channels of the map
    dtype, scale, zero_point: as for InputSpec
    """

    index: int
    name: str
    axes: str
    size_wh: tuple[int, int]
    classes: int
    dtype: np.dtype[Any] = FLOAT
    scale: float = 0.0
    zero_point: int = 0

    def dequantize(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Convert values of the tensor's dtype to the real values they represent: (stored - zero_point) * scale.

        Without a scale, values are converted as they are.

        Args:
            stored: any shape, of the tensor's dtype.

        Returns:
            A float32 array of the same shape.
        """
        real = stored.astype(np.float32, copy=False)
        return (real - np.float32(self.zero_point)) * np.float32(self.scale) if self.scale else real


def read_input(details: list[dict[str, Any]]) -> InputSpec:
    """Find the photo among a model's inputs.

    details: as the interpreter's get_input_details gives them
    raises: ModelRejected for what is no one photo
    """
    if len(details) != 1:
        raise ModelRejected(f"the model has {len(details)} inputs; a photo is one")
    detail = details[0]
    shape = _open_shape(detail)
    axes, channels = _input_axes(shape)
    dtype = np.dtype(detail["dtype"])
    if dtype.kind not in "fiu":
        raise ModelRejected(f"the model's input is of {dtype.name}; it must be of numbers")
    scale, zero_point = detail["quantization"]
    sides = zip(axes, shape, strict=True)
    shape = tuple(ANY if axis in "HW" and side <= 1 else side for axis, side in sides)
    if max(side for axis, side in zip(axes, shape, strict=True) if axis in "HW") > SIDE_LIMIT_PX:
        raise ModelRejected(f"the model's input has the shape {list(shape)}; a side has at most {SIDE_LIMIT_PX}")
    return InputSpec(axes, shape, channels, dtype, float(scale), int(zero_point))


def _open_shape(detail: dict[str, Any]) -> tuple[int, ...]:
    shape = tuple(int(side) for side in detail["shape"])
    signature = tuple(int(side) for side in detail.get("shape_signature", ()))
    if len(signature) != len(shape):
        return shape or (ANY,) * 4  # no rank at all: what nearly every image model has
    return tuple(ANY if mark < 0 else side for side, mark in zip(shape, signature, strict=True))


def _input_axes(shape: tuple[int, ...]) -> tuple[str, int]:
    """Name the axes of an input and count its channels."""
    if len(shape) == 4:
        if shape[3] == 3 or (shape[3] == 1 and shape[1] != 3):
            return "NHWC", shape[3]
        if shape[1] in CHANNELS:
            return "NCHW", shape[1]
        if ANY in (shape[1], shape[3]) and max(shape[1], shape[3]) not in range(2, 33):
            return "NHWC", 3
        channels = shape[3] if shape[1] == ANY or 0 < shape[3] <= shape[1] else shape[1]
        raise ModelRejected(f"the model's input has {channels} channels; a photo has 3, or 1 where it is grey")
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
    raise ModelRejected(f"the model's input has the shape {list(shape)}, which is not that of an image")


def read_outputs(
    details: list[dict[str, Any]], input_wh: tuple[int, int], size_wh: tuple[int, int] | None = None
) -> list[OutputSpec]:
    """Find the maps among a model's outputs.

    details: as the interpreter's get_output_details gives them
    input_wh: the input's size when they were read
    size_wh: the map's size, where the card knows it
    raises: ModelRejected when there is none
    """
    found, reasons = [], []
    for index, detail in enumerate(details):
        shape = tuple(int(side) for side in detail["shape"])
        dtype = np.dtype(detail["dtype"])
        axes = _output_axes(shape, input_wh, size_wh)
        sides = dict(zip(axes or "", shape, strict=axes is not None))
        classes = sides.get("K", 1)
        if axes is None or dtype.kind not in "fiub":
            reasons.append(f"{dtype.name} {list(shape)} is no map of a photo of {input_wh[0]} x {input_wh[1]}")
        elif classes > CLASSES_LIMIT:
            reasons.append(f"{list(shape)} has {classes} channels; a mask has at most {CLASSES_LIMIT} classes")
        else:
            flat_wh = size_wh or input_wh
            map_wh = flat_wh if "F" in axes else (sides["W"], sides["H"])
            scale, zero_point = detail["quantization"]
            name = str(detail["name"])
            found.append(OutputSpec(index, name, axes, map_wh, classes, dtype, float(scale), int(zero_point)))
    if not found:
        raise ModelRejected(f"the model gives no segmentation; its output {'; '.join(reasons)}{_hint(details)}")
    return found


def _hint(details: list[dict[str, Any]]) -> str:
    sides = [side for side in details[0]["shape"] if side > 1] if len(details) == 1 else [1, 1]
    return ": it looks like a classifier, one answer for the whole photo" if len(sides) <= 1 else ""


def _output_axes(shape: tuple[int, ...], input_wh: tuple[int, int], size_wh: tuple[int, int] | None) -> str | None:
    """Name the axes of an output; None when it is no map.

    A map has its sides next to each other and in the photo's proportions, give or take the pixel that a
    stride rounds off; its classes are the axis that is left, if one is.
    """
    long = [i for i, side in enumerate(shape) if side != 1]
    width, height = size_wh or input_wh
    choices = []
    if len(long) in (1, 2):
        choices += [({i: "F"}, [k for k in long if k != i]) for i in long if shape[i] == width * height]
    if len(long) in (2, 3):
        pairs = [(i, j) for i, j in pairwise(long) if _alike(shape[j], shape[i], input_wh)]
        pairs.sort(key=lambda pair: (-_exact(shape[pair[1]], shape[pair[0]], input_wh), pair))
        choices += [({i: "H", j: "W"}, [k for k in long if k not in (i, j)]) for i, j in pairs]
    for letters, rest in choices:
        named = {**letters, **dict.fromkeys(rest, "K")}
        return "".join(named.get(i, "1") for i in range(len(shape)))
    return None


def _alike(width: int, height: int, input_wh: tuple[int, int]) -> bool:
    """Tell whether a map has the photo's proportions."""
    wide, high = input_wh
    return width > 1 and height > 1 and abs(width * high - height * wide) <= max(wide, high)


def _exact(width: int, height: int, input_wh: tuple[int, int]) -> bool:
    return width * input_wh[1] == height * input_wh[0]
