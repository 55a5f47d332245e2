"""TensorFlow SavedModels of TensorFlow 1 and 2: their signatures as functions of one photo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from model.training.cli import CommandError, one_line
from model.training.nets.float_model import Call, Source

SIGNATURES = ("serving_default", "serve")


def read(folder: Path, signature_name: str | None) -> Source:
    """Load a SavedModel.

    Args:
        folder: Its folder.
        signature_name: The signature to use; None for one of SIGNATURES, or the only one.

    Returns:
        The model.

    Raises:
        CommandError: If it cannot be loaded, or the signature does not take one photo.
    """
    try:
        owner = tf.saved_model.load(str(folder))
    except Exception as error:
        raise CommandError(f"{folder} cannot be loaded as a SavedModel: {one_line(str(error))}") from error
    signature = owner.signatures[_choose_signature(folder, list(owner.signatures), signature_name)]
    inputs = dict(signature.structured_input_signature[1])
    constants, notes = _constants(inputs)
    images = [name for name in inputs if name not in constants]
    if len(images) != 1:
        raise CommandError(
            f"{folder} has {len(images)} inputs ({', '.join(images)}); it must have one, an image, so export it"
            " with a signature that takes only that"
        )
    image_name = images[0]
    spec = inputs[image_name]

    def call(image: Any) -> Mapping[str, Any]:
        return dict(signature(**{image_name: image}, **constants))

    shape = tuple(spec.shape) if spec.shape.rank is not None else (None, None, None, 3)
    return Source(folder.name, call, shape, spec.dtype, owner, _inference_call(owner, signature), notes)


def _choose_signature(folder: Path, names: list[str], wanted: str | None) -> str:
    """Return the signature to use."""
    choices = [wanted] if wanted else [*SIGNATURES, *(names if len(names) == 1 else [])]
    chosen = next((name for name in choices if name in names), None)
    if chosen is not None:
        return chosen
    missing = wanted or " or ".join(SIGNATURES)
    if not names:
        raise CommandError(
            f"{folder} has no signatures; save it with tf.saved_model.save(model, FOLDER, signatures=...)"
        )
    raise CommandError(f"{folder} has no signature {missing}; set --signature to one of {', '.join(names)}")


def _constants(inputs: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the inputs that switch training on, such as is_training and keep_prob, set to inference."""
    values: dict[str, Any] = {}
    for name, spec in inputs.items():
        if len(inputs) == 1 or spec.shape.rank not in (0, None):
            continue
        if spec.dtype == tf.bool:
            values[name] = tf.constant(False)
        elif spec.dtype.is_floating and "keep" in name:
            values[name] = tf.constant(1, spec.dtype)
    notes = tuple(f"the input {name} is set to {value.numpy()}" for name, value in values.items())
    return values, notes


def _inference_call(owner: Any, signature: Any) -> Call | None:
    """Return a call of a SavedModel of Keras 2 with training=False; None for those that cannot be called so."""
    if not callable(owner):
        return None
    names = list(signature.structured_outputs)

    def call(image: Any) -> Mapping[str, Any]:
        return dict(zip(names, tf.nest.flatten(owner(image, training=False)), strict=True))

    return call
