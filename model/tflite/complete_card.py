"""Complete the card of a model: what its embedded or known card leaves out comes from its metadata, or is inferred."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InferenceFailed, ModelRejected
from model.image import preprocess, score_map
from model.tflite import infer_card, metadata, runtime
from model.tflite.card import ModelCard
from model.tflite.card_sources import Fields, background_field, merge
from model.tflite.flatbuffer import Table
from model.tflite.infer_border import infer_border
from model.tflite.infer_card import Infer
from model.tflite.pool import InterpreterPool
from model.tflite.probe import ProbedModel

METADATA_TEXTS = ("name", "version", "description", "licence")
SIGMOID_NOTE = (
    "the output has {count} scores that are independent of each other (sigmoid): they are read as {count} classes "
    "beside a background; a card with `labels` states otherwise"
)


def complete_card(
    file: Path, tables: Table, probed: ProbedModel, pool: InterpreterPool, stated: Fields, stated_by: str
) -> tuple[ModelCard, dict[str, str], tuple[str, ...]]:
    """Complete the card that a model has, which may be empty.

    Args:
        file: The .tflite.
        tables: Its tables.
        probed: The model as it was probed.
        pool: Its interpreters.
        stated: The values of that card by field.
        stated_by: Where it comes from: "embedded" or "known".

    Returns:
        The card, the source of each field, and notes of one sentence each.

    Raises:
        ModelRejected: If the card is invalid, or the runtime cannot run the model.
    """
    standard, notes = _read_metadata(file, tables, probed)
    source = stated_by if stated else "inferred" if standard is None else "metadata"
    standard = standard or {}
    output, producer = probed.output, infer_card.producer_op(tables, probed.output)
    labels = tuple(stated.get("labels") or infer_card.labels_of_output(output, producer, standard.get("labels", ())))
    normalization = infer_card.normalization(probed.input, standard)
    values, sources = merge(
        ("default", {"labels": labels}),
        ("inferred", normalization),
        ("metadata", {name: standard[name] for name in METADATA_TEXTS if name in standard}),
        ("metadata", {name: value for name, value in normalization.items() if standard.get(name) == value}),
        ("metadata", {"labels": labels} if standard.get("labels") == labels else {}),
        ("inferred", background_field(labels) if "labels" in stated or "labels" in standard else {}),
        ("metadata", {"activation": standard["activation"]} if standard.get("activation", "none") != "none" else {}),
        (stated_by, stated),
    )
    if sources["labels"] == "default" and infer_card.has_independent_scores(output, producer):
        notes = (*notes, SIGMOID_NOTE.format(count=output.channels))
    card = ModelCard(source=source).with_values(values)
    infer, input_wh = _inference(probed, pool), probed.input.max_wh
    measures: dict[str, Callable[[], Any]] = {
        "border": lambda: infer_border(output, input_wh, card, infer),
        "activation": lambda: infer_card.activation(output, producer, card, infer, input_wh),
    }
    measured = _measure(probed, {name: get for name, get in measures.items() if sources[name] == "default"})
    return card.with_values(measured), sources | dict.fromkeys(measured, "inferred"), notes


def _read_metadata(file: Path, tables: Table, probed: ProbedModel) -> tuple[Fields | None, tuple[str, ...]]:
    """Return the values of the metadata, None if there is none, and all notes so far."""
    try:
        return metadata.read(file, tables, probed.output.index), probed.notes
    except metadata.InvalidMetadata as error:
        return None, (*probed.notes, f"{error}; it is ignored")


def _inference(probed: ProbedModel, pool: InterpreterPool) -> Infer:
    """Return the model as a function from an image and a card to float32 (h, w, K)."""

    def infer(image: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
        size_wh = probed.input.size_for((image.shape[1], image.shape[0]))
        with pool.borrow(0) as interpreter:
            output = pool.run(interpreter, preprocess.to_input(image, size_wh, card, probed.input))
        return probed.output.dequantize(score_map.to_hwk(output, probed.output, size_wh))

    return infer


def _measure(probed: ProbedModel, measures: dict[str, Callable[[], Any]]) -> Fields:
    """Return the fields that are inferred by running the model; without a border if there is none."""
    try:
        values = {name: get() for name, get in measures.items()}
    except InferenceFailed as error:
        cause = runtime.one_line(error.__cause__)
        raise ModelRejected(f"{runtime.RUNTIME} loads {probed.file.name} but cannot run it: {cause}") from error
    return {name: value for name, value in values.items() if name != "border" or value}
