"""What a model's output means: labels, background, activation and border, by the rules of the function.

Where the function would have to guess, the user is asked instead, and options that contradict the model are errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model.image import preprocess
from model.tflite import card_sources, infer_card
from model.tflite.flatbuffer import Table
from model.tflite.infer_border import infer_border
from model.tflite.infer_card import Infer, ProducerOp
from model.tflite.schema import BuiltinOp
from model.tflite.tensor_specs import InputSpec, OutputSpec
from model.training.card_draft import CardDraft
from model.training.cli import CommandError


class FloatInference(Protocol):
    """A model as a function from float32 of the input's axes to (1, h', w', K) scores or class ids."""

    @property
    def input(self) -> InputSpec:
        """Spec of the input."""

    @property
    def output(self) -> OutputSpec:
        """Spec of the output."""

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[Any]:
        """Run the model once."""


def complete(
    draft: CardDraft, model: FloatInference, tables: Table | None, inputs: Sequence[NDArray[np.float32]] = ()
) -> CardDraft:
    """Complete a draft with what the model shows.

    Args:
        draft: What was stated.
        model: The float model.
        tables: The tables of its .tflite, which has one output; None if there is none.
        inputs: Inputs made of the user's photos.

    Returns:
        The complete draft.

    Raises:
        CommandError: If the draft contradicts the model, or the user has to state more.
    """
    output = replace(model.output, index=0)
    producer = ProducerOp() if tables is None else infer_card.producer_op(tables, output)
    if infer_card.holds_class_ids(output, producer) or draft.values.get("activation") == "ids":
        draft = _complete_class_ids(draft, model, producer, inputs)
    else:
        draft = _complete_scores(draft, model, output, producer, inputs)
    if not draft.states("background"):
        draft = draft.with_found(card_sources.background_field(draft.card.labels) if draft.states("labels") else {})
    if not draft.states("background") and draft.states("labels"):
        labels = draft.card.labels
        draft = draft.with_note(f"no class is named background: {labels[0]} is taken for it; --background states it")
    if not draft.states("border"):
        border = infer_border(output, model.input.max_wh, draft.card, _inference(model))
        draft = draft.with_found({"border": border}) if border else draft
    return draft


def _complete_class_ids(
    draft: CardDraft, model: FloatInference, producer: ProducerOp, inputs: Sequence[NDArray[np.float32]]
) -> CardDraft:
    """Complete the draft of a model that outputs class ids."""
    activation = draft.values.get("activation", "ids")
    if activation != "ids":
        raise CommandError(f"the model outputs class ids, but the activation is {activation}; use --activation ids")
    if model.output.channels > 1:
        raise CommandError(
            f"--activation ids is for class ids, but the model outputs {model.output.channels} channels of scores;"
            " leave --activation out"
        )
    values = np.unique(np.concatenate([np.unique(value) for value in _outputs(draft, model, inputs)]))
    if (values != np.rint(values)).any():
        raise CommandError("--activation ids is for class ids, but the model outputs fractions; leave --activation out")
    highest, count = int(values.max()), producer.class_count
    stated = len(draft.card.labels) if draft.states("labels") else None
    if stated is not None and ((count is not None and count != stated) or highest >= stated):
        raise CommandError(
            f"--classes has {stated} classes ({', '.join(draft.card.labels)}), but the model has"
            f" {count or f'class ids up to {highest}'}"
        )
    draft = draft if draft.states("activation") else draft.with_found({"activation": "ids"})
    labels = infer_card.labels(count, ())
    return draft if stated is not None else draft.with_found({"labels": labels}, "default")


def _complete_scores(
    draft: CardDraft,
    model: FloatInference,
    output: OutputSpec,
    producer: ProducerOp,
    inputs: Sequence[NDArray[np.float32]],
) -> CardDraft:
    """Complete the draft of a model that outputs scores."""
    activation = draft.values.get("activation")
    if activation in ("sigmoid", "softmax") and producer.code in (BuiltinOp.LOGISTIC, BuiltinOp.SOFTMAX):
        raise CommandError(
            f"the model ends in a {'sigmoid' if producer.code == BuiltinOp.LOGISTIC else 'softmax'} already, but the"
            f" activation is {activation}; use --activation none, or leave it out"
        )
    is_independent = output.channels > 1 and (producer.code == BuiltinOp.LOGISTIC or activation == "sigmoid")
    draft = _with_labels(draft, output, is_independent)
    if activation is not None:
        return draft
    infer = _inference(model)
    inferred = infer_card.activation(output, producer, draft.card, infer, model.input.max_wh)
    if output.channels == 1 and producer.code not in (BuiltinOp.LOGISTIC, BuiltinOp.SOFTMAX):
        scores = _outputs(draft, model, inputs)
        low, high = (float(f([f(values) for values in scores])) for f in (np.min, np.max))
        is_linear = low < -infer_card.PROBABILITY_TOLERANCE or high > 1 + infer_card.PROBABILITY_TOLERANCE
        if is_linear and (inferred == "none" or infer_card.lie_near_probabilities(scores)):
            raise CommandError(
                f"the model's output reaches from {low:.2f} to {high:.2f}: if it was trained on 0 and 1 (mean squared"
                " error), use --activation none; if it holds logits, --activation sigmoid"
            )
    return draft.with_found({"activation": inferred})


def _with_labels(draft: CardDraft, output: OutputSpec, is_independent: bool) -> CardDraft:
    """Return the draft with one label for each class, the background included."""
    classes = max(2, output.channels)
    if not draft.states("labels"):
        if is_independent:
            raise CommandError(
                f"the model has {output.channels} scores that are independent of each other (sigmoid); name them with"
                " --classes, with one named background only if a score is that of the background"
            )
        return draft.with_found({"labels": infer_card.numbered_labels(classes)}, "default")
    labels = tuple(draft.values["labels"])
    named = card_sources.named_background(labels) is not None or draft.states("background")
    if is_independent:
        if len(labels) == output.channels and not named:
            note = "the scores are independent of each other (sigmoid): background is where none reaches its threshold"
            return draft.with_found({"labels": ("background", *labels)}, draft.sources["labels"]).with_note(note)
        if len(labels) == output.channels + 1 and named:
            return draft
    if output.channels == 1 and card_sources.named_background(labels) == 1 and not draft.states("background"):
        raise CommandError(
            f"the model has one score: if it is that of {labels[0]}, use --classes {labels[1]},{labels[0]};"
            f" if it is that of {labels[1]}, use --background {labels[0]}, and {labels[1]} is what masks show"
        )
    if len(labels) != classes:
        raise CommandError(f"--classes has {len(labels)} classes ({', '.join(labels)}), but the model has {classes}")
    return draft


def _inference(model: FloatInference) -> Infer:
    """Return a model as a function from an image and a card to float32 (h, w, K)."""
    spec = model.input.as_float()

    def infer(image: NDArray[np.uint8], card: Any) -> NDArray[np.float32]:
        size_wh = spec.size_for((image.shape[1], image.shape[0]))
        return np.asarray(model(preprocess.to_input(image, size_wh, card, spec))[0], np.float32)

    return infer


def _outputs(
    draft: CardDraft, model: FloatInference, inputs: Sequence[NDArray[np.float32]]
) -> list[NDArray[np.float32]]:
    """Return the model's outputs for the user's photos, or for test images if there are none."""
    if inputs:
        return [np.asarray(model(tensor), np.float32) for tensor in inputs]
    infer, images = _inference(model), infer_card.probe_images(model.input.max_wh)
    return [infer(images[i], draft.card) for i in infer_card.TEXTURED]
