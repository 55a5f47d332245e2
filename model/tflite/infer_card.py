"""Fill in what a model's card leaves out: from standard metadata, then from the tensors, then from a try.

Each function gives values under the names of the card's fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.tflite import flatbuffer
from model.tflite.card import ModelCard
from model.tflite.flatbuffer import Table
from model.tflite.tensor_specs import InputSpec, OutputSpec

ASKED = frozenset({"labels", "mean", "std", "activation"})  # a card that says these leaves nothing to guess
BACKGROUNDS = ("background", "__background__", "_background_", "bg")
TOLERANCE = 0.01  # by which probabilities may miss 0, 1 and their sum: float16 and int8 round
# operators of TensorFlow Lite's schema, by number
LOGISTIC, SOFTMAX, ARG_MAX = 14, 25, 56
COMPARISONS = {58, 61, 62, 63, 71, 72}  # less, greater and the like
PASSING = {6, 22, 23, 39, 43, 45, 53, 70, 97, 114}  # they move or store scores, and leave what they mean
MAX_STEPS = 12

Infer = Callable[[NDArray[np.uint8], ModelCard], NDArray[np.float32]]


def source(model: Table, output: OutputSpec) -> tuple[int | None, int | None]:
    """Look for the operator that an output's meaning comes from.

    returns: its number, and the classes it chose from where it is an arg-max; None for what is not known
    """
    graph = model["graphs"][0]
    makers = {made: operator for operator in graph.get("operators", []) for made in operator.get("outputs", ())}
    tensor = graph["outputs"][output.index]
    for _ in range(MAX_STEPS):
        operator = makers.get(tensor)
        if operator is None:
            return None, None
        code = flatbuffer.builtin(model, operator)
        inputs = operator.get("inputs", ())
        if code == ARG_MAX:
            return code, _argmaxed(graph["tensors"][inputs[0]], output)
        if code not in PASSING or not inputs:
            return code, 2 if code in COMPARISONS else None
        tensor = inputs[0]
    return None, None


def _argmaxed(tensor: Table, output: OutputSpec) -> int | None:
    """Count the classes an arg-max chose from: the side that is not the map's."""
    sides = [side for side in tensor.get("shape", ()) if side > 1]
    for side in output.size_wh:
        if side in sides:
            sides.remove(side)
    return sides[0] if len(sides) == 1 else None


def custom_ops(model: Table) -> tuple[str, ...]:
    """List the operators that are none of TensorFlow Lite's own."""
    return tuple(dict.fromkeys(code["custom"] for code in model.get("codes", []) if code.get("custom")))


def is_ids(output: OutputSpec, maker: int | None) -> bool:
    """Tell whether an output is class ids rather than scores."""
    if output.classes > 1:
        return False
    if maker == ARG_MAX or output.dtype.kind == "b":
        return True
    return output.dtype.kind in "iu" and not output.scale


def normalization(kind: InputSpec, told: dict[str, Any]) -> dict[str, Any]:
    """Choose mean and std: those told, but for bytes that a model takes as they are.

    TFLite's own libraries give a uint8 model the photo's bytes whatever its metadata says, so what its scale and
    zero point can hold is the photo's range; metadata that does not fit into it was not meant for it.
    """
    stated: dict[str, Any] = {name: tuple(told[name]) for name in ("mean", "std") if name in told}
    if kind.dtype.kind == "f" or kind.dtype.itemsize > 1:
        return stated
    limits = np.iinfo(kind.dtype)
    scale, zero_point = kind.scale or 1.0, kind.zero_point if kind.scale else 0
    low, high = (limits.min - zero_point) * scale, (limits.max - zero_point) * scale
    if stated and kind.dtype.kind == "i":
        ends = [(end - mean) / std for end in (0, 255) for mean, std in zip(*stated.values(), strict=False)]
        slack = 0.05 * (high - low)
        if low - slack <= min(ends) and max(ends) <= high + slack:
            return stated
    std = 255 / (high - low)
    return {"mean": (round(-low * std, 6),), "std": (std,)}


def labels(count: int | None, told: tuple[str, ...]) -> tuple[str, ...] | None:
    """Choose the labels for a number of classes.

    count: None when it is not known
    told: labels that may lack the background
    returns: None when what was told does not fit
    """
    if not told:
        return None
    if count is None:
        return told[:256] if len(told) > 1 else None
    if len(told) == count - 1 and not set(map(str.lower, told)) & set(BACKGROUNDS):
        return ("background", *told)
    return told if len(told) == count else None


def numbered(count: int) -> tuple[str, ...]:
    """Name classes that have no names."""
    return ("background", "object") if count == 2 else ("background", *(f"class {i}" for i in range(1, count)))


def background(names: tuple[str, ...]) -> int:
    """Find the class that is no object: the one called so, else the first."""
    return next((i for i, name in enumerate(names) if name.strip().lower() in BACKGROUNDS), 0)


def activation(output: OutputSpec, maker: int | None, card: ModelCard, infer: Infer, input_wh: tuple[int, int]) -> str:
    """Tell what is still to be done to the output, from what made it, else from what it gives for a few pictures."""
    if is_ids(output, maker):
        return "ids"
    if maker == LOGISTIC and output.classes == 1:
        return "none"
    slack = TOLERANCE + output.scale
    for picture in pictures(input_wh):
        scores = infer(picture, card)
        inside = scores.min() >= -slack and scores.max() <= 1 + slack
        if output.classes == 1:
            if not inside:
                return "sigmoid"
        elif not inside or np.abs(scores.sum(axis=-1) - 1).max() > slack * output.classes:
            return "softmax"
    return "none"


def pictures(size_wh: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Make pictures that a model answers in different ways: black, white, plain colours, noise."""
    width, height = size_wh
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    mixed = noise.copy()
    corners = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 0]])
    for i, colour in enumerate(corners):
        mixed[:, i * width // 16 : (i + 1) * width // 16] = colour * 255
    return [mixed, np.zeros_like(noise), np.full_like(noise, 255), noise]
