"""A model's file to an engine that runs it and a card that says what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InferenceFailed, ModelRejected
from model.image import preprocess, score_map
from model.tflite import card as cards
from model.tflite import flatbuffer, infer_card, tensor_specs
from model.tflite.card import ModelCard
from model.tflite.flatbuffer import Table
from model.tflite.pool import Engine, Wanted
from model.tflite.tensor_specs import OutputSpec


def load(file: Path, interpreters: int) -> tuple[Engine, ModelCard, list[str]]:
    """Check a model, load it, and learn what it means.

    returns: the engine, the whole card, and notes on what is out of the ordinary
    raises: ModelRejected
    """
    model = flatbuffer.read(file)
    said = cards.read_values(file)
    stated = ModelCard().with_values(said or {})  # what makes no sense is refused before anything is loaded
    count = len(stated.labels) if said and "labels" in said else None
    wanted = Wanted(stated.input_size, stated.output, stated.output_size, count)
    engine = Engine(file, interpreters, wanted, infer_card.custom_ops(model))
    if said and said.keys() >= infer_card.ASKED:
        maker = None
        card = _filled(said, {}, engine, None)
    else:
        told, found = _told(file, model, engine)
        maker, chosen = infer_card.source(model, engine.output)
        card = _filled(said or {}, told, engine, chosen if infer_card.is_ids(engine.output, maker) else engine.classes)
        if "activation" not in (said or {}):
            card = card.with_values({"activation": _activation(engine, card, told, maker)})
        card = card.with_values({"source": "embedded" if said else "metadata" if found else "inferred"})
    return engine, _fitted(card, engine), engine.notes


def _told(file: Path, model: Table, engine: Engine) -> tuple[dict[str, Any], bool]:
    """Read the standard metadata; damaged, it is noted and left aside."""
    from model.tflite import metadata  # which needs flatbuffers: models with a card of their own do without

    try:
        told = metadata.read(file, model, engine.output.index)
    except metadata.Unreadable as error:
        engine.notes.append(f"{error}; it was left aside")
        told = None
    return told or {}, told is not None


def _filled(said: dict[str, Any], told: dict[str, Any], engine: Engine, classes: int | None) -> ModelCard:
    """Lay what the card says over what the metadata tells, and that over what the tensors suggest."""
    told = dict(told)
    names = tuple(said["labels"]) if "labels" in said else None
    if names is None:
        count = 2 if classes == 1 else classes
        names = infer_card.labels(count, told.pop("labels", ()))
        if names is None:
            names = infer_card.numbered(count or tensor_specs.CLASSES_LIMIT)
    values = {"labels": names, "background": infer_card.background(names)}
    if not {"mean", "std"} <= said.keys():
        values |= infer_card.normalization(engine.input, told)
    told = {name: told[name] for name in ("name", "version", "description", "licence") if name in told}
    return ModelCard(source="embedded").with_values({**values, **told, **said})


def _activation(engine: Engine, card: ModelCard, told: dict[str, Any], maker: int | None) -> str:
    """Choose the activation: what the metadata tells, unless it tells that nothing is left to do."""
    if told.get("activation", "none") != "none":
        return str(told["activation"])

    def infer(picture: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
        size_wh = engine.size_for((picture.shape[1], picture.shape[0]))
        with engine.borrow(0) as interpreter:
            output = engine.run(interpreter, preprocess.to_input(picture, size_wh, card, engine.input))
        return engine.output.dequantize(preprocess.to_maps(output, engine.output, size_wh))

    try:
        return infer_card.activation(engine.output, maker, card, infer, engine.input_wh)
    except InferenceFailed as error:
        raise ModelRejected(f"the model loads, but fails when it runs: {error.__cause__}") from error


def _fitted(card: ModelCard, engine: Engine) -> ModelCard:
    """Hold a whole card against the model that it is for.

    raises: ModelRejected
    """
    channels, output = engine.input.channels, engine.output
    if output.classes == 1 and output.dtype.kind in "bi" and not output.scale and card.activation != "ids":
        card = card.with_values({"activation": "ids"})
    if card.activation == "ids" and output.classes > 1:
        raise ModelRejected(f"the card says class ids, and the model gives {output.classes} channels of scores")
    if card.activation != "ids" and len(card.labels) != max(output.classes, 2):
        raise ModelRejected(f"the card names {len(card.labels)} classes, the model has {output.classes}")
    values: dict[str, Any] = {}
    for name in ("mean", "std"):
        each = getattr(card, name)
        if channels == 1 and len(set(each)) > 1:
            raise ModelRejected(f"the card has three different numbers as {name}, and the model takes one grey channel")
        values[name] = each[:1] if channels == 1 else each * 3 if len(each) == 1 else each
    return card.with_values(values)


def scores(output: NDArray[Any], kind: OutputSpec, input_wh: tuple[int, int], card: ModelCard) -> score_map.Scores:
    """Read an output tensor all the way: to float32 (h, w, K), 0 to 1, or to uint8 (h, w) class ids."""
    maps = preprocess.to_maps(output, kind, input_wh)
    return preprocess.to_scores(maps if card.activation == "ids" else kind.dequantize(maps), card)
