"""Load a .tflite: verify it, probe it, and complete its card.

The fields of the card come, in this order of precedence, from the card embedded in the file, from its standard
metadata, and from inference.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InferenceFailed, ModelRejected
from model.image import preprocess, score_map
from model.tflite import card as cards
from model.tflite import infer_card, metadata, runtime, verify
from model.tflite.card import ModelCard
from model.tflite.flatbuffer import Table
from model.tflite.infer_card import ProducerOp
from model.tflite.pool import InterpreterPool
from model.tflite.probe import ProbedModel, TensorHints, probe
from model.tflite.tensor_specs import InputSpec, OutputSpec

SUFFICIENT_FIELDS = frozenset({"labels", "mean", "std", "activation"})  # if a card has them, nothing is inferred
METADATA_TEXTS = ("name", "version", "description", "licence")


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to serve.

    Attributes:
        pool: Its interpreters.
        input: Spec of its input.
        output: Spec of the output that holds the segmentation.
        card: The complete card.
        notes: Remarks for the operator, one sentence each.
    """

    pool: InterpreterPool
    input: InputSpec
    output: OutputSpec
    card: ModelCard
    notes: tuple[str, ...]


def load(file: Path, interpreters: int) -> LoadedModel:
    """Load a model.

    Args:
        file: A .tflite.
        interpreters: Maximum number of interpreters, which is the number of photos processed at once.

    Raises:
        ModelRejected: If the file is damaged, is not a segmentation model, its card is invalid, or the runtime cannot
            execute it.
    """
    tables = verify.read_model(file)
    embedded = cards.read_values(file) or {}
    stated = ModelCard().with_values(embedded)  # an invalid card is rejected before the runtime loads the model
    probed = probe(file, tensor_hints(stated, embedded))
    pool = InterpreterPool(probed, interpreters)
    if embedded.keys() >= SUFFICIENT_FIELDS:
        background = {"background": infer_card.background(stated.labels)}
        card, notes = ModelCard(source="embedded").with_values(background | embedded), probed.notes
    else:
        card, notes = _complete_card(file, tables, probed, pool, embedded)
    return LoadedModel(pool, probed.input, probed.output, _fit_to_tensors(card, probed), notes)


def tensor_hints(stated: ModelCard, embedded: dict[str, Any]) -> TensorHints:
    """Return what an embedded card states about the tensors.

    Args:
        stated: The card, with defaults for the fields that it leaves out.
        embedded: The fields that it has.
    """
    class_count = len(stated.labels) if "labels" in embedded else None
    return TensorHints(stated.input_size, stated.output, stated.output_size, class_count)


def _complete_card(
    file: Path, tables: Table, probed: ProbedModel, pool: InterpreterPool, embedded: dict[str, Any]
) -> tuple[ModelCard, tuple[str, ...]]:
    """Complete the embedded card, which may be empty, from metadata and inference; return it and all notes."""
    notes, standard = probed.notes, None
    try:
        standard = metadata.read(file, tables, probed.output.index)
    except metadata.InvalidMetadata as error:
        notes = (*notes, f"{error}; it is ignored")
    source = "embedded" if embedded else "inferred" if standard is None else "metadata"
    standard = standard or {}
    producer = infer_card.producer_op(tables, probed.output)
    class_count = infer_card.class_count(probed.output, producer)
    labels = tuple(embedded.get("labels") or infer_card.labels(class_count, standard.get("labels", ())))
    values = {
        "labels": labels,
        "background": infer_card.background(labels),
        **infer_card.normalization(probed.input, standard),
        **{name: standard[name] for name in METADATA_TEXTS if name in standard},
        **embedded,
    }
    card = ModelCard(source=source).with_values(values)
    if "activation" not in embedded:
        card = card.with_values({"activation": _activation(probed, pool, card, standard, producer)})
    return card, notes


def _activation(
    probed: ProbedModel, pool: InterpreterPool, card: ModelCard, standard: dict[str, Any], producer: ProducerOp
) -> str:
    """Return the activation of the metadata, or the inferred one if that is "none", the value that tools default to."""
    if standard.get("activation", "none") != "none":
        return str(standard["activation"])

    def infer(image: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
        size_wh = probed.input.size_for((image.shape[1], image.shape[0]))
        with pool.borrow(0) as interpreter:
            output = pool.run(interpreter, preprocess.to_input(image, size_wh, card, probed.input))
        return probed.output.dequantize(score_map.to_hwk(output, probed.output, size_wh))

    try:
        return infer_card.activation(probed.output, producer, card, infer, probed.input.max_wh)
    except InferenceFailed as error:
        cause = runtime.one_line(error.__cause__)
        raise ModelRejected(f"{runtime.RUNTIME} loads {probed.file.name} but cannot run it: {cause}") from error


def _fit_to_tensors(card: ModelCard, probed: ProbedModel) -> ModelCard:
    """Check a complete card against the tensors, and set mean and std to one number per channel.

    Raises:
        ModelRejected: If the card contradicts the tensors.
    """
    channels, output = probed.input.channels, probed.output
    if output.channels == 1 and output.dtype.kind in "bi" and not output.scale and card.activation != "ids":
        # Booleans and signed integers without a scale can only be class ids.
        card = card.with_values({"activation": "ids"})
    if card.activation == "ids" and output.channels > 1:
        raise ModelRejected(
            f"invalid model card: activation is ids, but the model outputs {output.channels} channels of scores; "
            "set it to none, sigmoid or softmax"
        )
    classes = max(output.channels, 2)
    if card.activation != "ids" and len(card.labels) != classes:
        raise ModelRejected(
            f"invalid model card: it has {len(card.labels)} labels, but the model has {classes} classes; "
            "state one label per class"
        )
    values: dict[str, Any] = {}
    for name in ("mean", "std"):
        numbers = getattr(card, name)
        if channels == 1 and len(set(numbers)) > 1:
            raise ModelRejected(
                f"invalid model card: {name} has different numbers, but the model takes one grey channel; state one"
            )
        values[name] = numbers[:1] if channels == 1 else numbers * 3 if len(numbers) == 1 else numbers
    return card.with_values(values)
