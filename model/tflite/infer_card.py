"""Infer what neither a model's card nor its metadata states: labels, normalization, background and activation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.tflite import verify
from model.tflite.card import ModelCard
from model.tflite.card_sources import is_background, named_background
from model.tflite.flatbuffer import Table
from model.tflite.schema import BuiltinOp
from model.tflite.tensor_specs import CLASSES_LIMIT, InputSpec, OutputSpec

PROBABILITY_TOLERANCE = 0.01  # for probabilities and their sum: float16 and int8 round
COMPARISON_OPS = frozenset(
    {
        BuiltinOp.LESS,
        BuiltinOp.GREATER,
        BuiltinOp.GREATER_EQUAL,
        BuiltinOp.LESS_EQUAL,
        BuiltinOp.EQUAL,
        BuiltinOp.NOT_EQUAL,
    }
)
# Operators that move, resize or convert scores, but do not change what the scores mean.
PASSTHROUGH_OPS = frozenset(
    {
        BuiltinOp.DEQUANTIZE,
        BuiltinOp.RESHAPE,
        BuiltinOp.RESIZE_BILINEAR,
        BuiltinOp.TRANSPOSE,
        BuiltinOp.SQUEEZE,
        BuiltinOp.STRIDED_SLICE,
        BuiltinOp.CAST,
        BuiltinOp.EXPAND_DIMS,
        BuiltinOp.RESIZE_NEAREST_NEIGHBOR,
        BuiltinOp.QUANTIZE,
    }
)
NEAR_PROBABILITIES = (-0.5, 1.5)  # the range of scores of a linear output that was trained on 0 and 1
NEAR_SHARE = 0.9  # of the scores that must lie in it
TEXTURED = (0, 3)  # indices of the probe images that are not of one colour
PASSTHROUGH_LIMIT = 12  # the most operators to follow back from the output

Infer = Callable[[NDArray[np.uint8], ModelCard], NDArray[np.float32]]


@dataclass(frozen=True)
class ProducerOp:
    """The operator that determines what an output means.

    Attributes:
        code: Its BuiltinOp number; None if it is not known.
        class_count: Number of classes that it chose from, for an arg-max or a comparison; None if it is not known.
    """

    code: int | None = None
    class_count: int | None = None


def producer_op(model: Table, output: OutputSpec) -> ProducerOp:
    """Return the operator that produces an output, behind operators that pass its values through.

    Args:
        model: The model's tables, as verify.read_model returns them.
        output: The output.
    """
    subgraph = model["subgraphs"][0]
    producers = {
        tensor: operator for operator in subgraph.get("operators", []) for tensor in operator.get("outputs", ())
    }
    tensor = subgraph["outputs"][output.index]
    for _ in range(PASSTHROUGH_LIMIT):
        operator = producers.get(tensor)
        if operator is None:
            return ProducerOp()
        code = verify.builtin_op(model, operator)
        inputs = operator.get("inputs", ())
        if code == BuiltinOp.ARG_MAX:
            return ProducerOp(code, _argmax_classes(subgraph["tensors"][inputs[0]], output))
        if code not in PASSTHROUGH_OPS or not inputs:
            return ProducerOp(code, 2 if code in COMPARISON_OPS else None)
        tensor = inputs[0]
    return ProducerOp()


def _argmax_classes(argmax_input: Table, output: OutputSpec) -> int | None:
    """Return the length of the axis of an arg-max's input that is neither width nor height."""
    lengths = [length for length in argmax_input.get("shape", ()) if length > 1]
    for length in output.size_wh:
        if length in lengths:
            lengths.remove(length)
    return lengths[0] if len(lengths) == 1 else None


def holds_class_ids(output: OutputSpec, producer: ProducerOp) -> bool:
    """Return whether an output holds class ids rather than scores."""
    if output.channels > 1:
        return False
    if producer.code == BuiltinOp.ARG_MAX or output.dtype.kind == "b":
        return True
    return output.dtype.kind in "iu" and not output.scale


def class_count(output: OutputSpec, producer: ProducerOp) -> int | None:
    """Return the number of classes; None if it is not known."""
    count = producer.class_count if holds_class_ids(output, producer) else output.channels
    return 2 if count == 1 else count


def has_independent_scores(output: OutputSpec, producer: ProducerOp) -> bool:
    """Return whether the output has several channels, each the sigmoid of its own logit."""
    return output.channels > 1 and producer.code == BuiltinOp.LOGISTIC


def labels_of_output(output: OutputSpec, producer: ProducerOp, metadata_labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return a label for each class of an output.

    Scores that are independent of each other are those of objects; the background is a class without a channel,
    unless the metadata names a channel so.

    Args:
        output: The output.
        producer: The operator that produces it.
        metadata_labels: As for `labels`.
    """
    count = class_count(output, producer)
    if has_independent_scores(output, producer):
        is_complete = len(metadata_labels) == count and named_background(metadata_labels) is not None
        count = output.channels + (0 if is_complete else 1)
    return labels(count, metadata_labels)


def labels(count: int | None, metadata_labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return a label for each class: those of the metadata if they fit, else numbered ones.

    Args:
        count: Number of classes; None if it is not known.
        metadata_labels: Labels in the metadata, which may lack the background; empty if there are none.
    """
    if count is None and len(metadata_labels) > 1:
        return metadata_labels[:CLASSES_LIMIT]
    if count is not None and len(metadata_labels) == count:
        return metadata_labels
    has_background = any(is_background(label) for label in metadata_labels)
    if metadata_labels and len(metadata_labels) + 1 == count and not has_background:
        return ("background", *metadata_labels)
    return numbered_labels(count or CLASSES_LIMIT)


def numbered_labels(count: int) -> tuple[str, ...]:
    """Return labels for a number of classes: "background", then "object" or "class 1", "class 2" and so on."""
    return ("background", "object") if count == 2 else ("background", *(f"class {i}" for i in range(1, count)))


def background(names: tuple[str, ...]) -> int:
    """Return the class that is the background, by its label; the first one if no label says so."""
    return named_background(names) or 0


def normalization(spec: InputSpec, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return mean and std: those of the metadata, except for 8-bit inputs that they do not fit.

    TFLite's own libraries give a uint8 model the photo's bytes whatever its metadata states. So the range that the
    quantization of an 8-bit input can represent is that of the photo, 0 to 255; metadata outside it does not apply.

    Args:
        spec: The model's input.
        metadata: Values of the metadata by names of the card's fields.

    Returns:
        The fields mean and std; empty if nothing is known about them.
    """
    stated: dict[str, Any] = {name: tuple(metadata[name]) for name in ("mean", "std") if name in metadata}
    if spec.dtype.kind == "f" or spec.dtype.itemsize > 1:
        return stated
    limits = np.iinfo(spec.dtype)
    scale, zero_point = spec.scale or 1.0, spec.zero_point if spec.scale else 0
    low, high = (limits.min - zero_point) * scale, (limits.max - zero_point) * scale
    if stated and spec.dtype.kind == "i":
        ends = [(end - mean) / std for end in (0, 255) for mean, std in zip(*stated.values(), strict=False)]
        tolerance = 0.05 * (high - low)
        if low - tolerance <= min(ends) and max(ends) <= high + tolerance:
            return stated
    std = 255 / (high - low)
    return {"mean": (round(-low * std, 6),), "std": (std,)}


def activation(
    output: OutputSpec, producer: ProducerOp, card: ModelCard, infer: Infer, input_wh: tuple[int, int]
) -> str:
    """Return the activation that the output still needs: from its producer, else from the scores of probe images.

    Args:
        output: The model's output.
        producer: The operator that produces it.
        card: The card so far.
        infer: Runs the model: takes uint8 (H, W, 3) RGB and the card, returns float32 (h, w, K).
        input_wh: Width and height of the probe images.

    Raises:
        InferenceFailed: If the runtime cannot run the model.
    """
    if holds_class_ids(output, producer):
        return "ids"
    if producer.code == BuiltinOp.LOGISTIC:
        return "none"
    tolerance = PROBABILITY_TOLERANCE + output.scale
    images = probe_images(input_wh)
    for image in images:
        scores = infer(image, card)
        in_range = scores.min() >= -tolerance and scores.max() <= 1 + tolerance
        if output.channels == 1:
            if not in_range:
                return "none" if lie_near_probabilities([infer(images[i], card) for i in TEXTURED]) else "sigmoid"
        elif not in_range or np.abs(scores.sum(axis=-1) - 1).max() > tolerance * output.channels:
            return "softmax"
    return "none"


def lie_near_probabilities(scores: Sequence[NDArray[np.float32]]) -> bool:
    """Return whether scores are those of a linear output that was trained on 0 and 1, rather than logits.

    The former stay near 0 to 1, the latter spread far beyond.

    Args:
        scores: Any shape each, of one channel.
    """
    low, high = NEAR_PROBABILITIES
    return float(np.mean([np.mean((values >= low) & (values <= high)) for values in scores])) >= NEAR_SHARE


def probe_images(size_wh: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Return images that make a model's scores spread: stripes of pure colours beside noise, black, white, noise.

    Args:
        size_wh: Width and height in pixels.

    Returns:
        uint8 (H, W, 3) RGB each.
    """
    width, height = size_wh
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    stripes = noise.copy()
    colours = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 0]])
    for i, colour in enumerate(colours):
        stripes[:, i * width // 16 : (i + 1) * width // 16] = colour * 255
    return [stripes, np.zeros_like(noise), np.full_like(noise, 255), noise]
