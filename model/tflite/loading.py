"""Load a .tflite: verify it, probe it, and complete its card.

The fields of the card come, in this order of precedence, from the card embedded in the file or, for a file without one,
from the table of known models; from its standard metadata; and from inference. A known model's card takes precedence
over the metadata of the same file, because it was checked for that file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from model.errors import ModelRejected
from model.tflite import bundled, card_sources
from model.tflite import card as cards
from model.tflite.card import ModelCard
from model.tflite.card_sources import Fields
from model.tflite.pool import InterpreterPool
from model.tflite.probe import ProbedModel, TensorHints, probe
from model.tflite.tensor_specs import InputSpec, OutputSpec

if TYPE_CHECKING:
    from model.tflite.flatbuffer import Table

SUFFICIENT_FIELDS = frozenset({"labels", "mean", "std", "activation"})  # if a card has them, nothing is inferred


class LoadedModel(NamedTuple):
    """A model that is ready to serve.

    Attributes:
        pool: Its interpreters.
        input: Spec of its input.
        output: Spec of the output that holds the segmentation.
        card: The complete card.
        sources: Where each field of the card comes from: "embedded", "known", "metadata", "inferred" or
            "default".
        notes: Remarks for the operator, one sentence each.
    """

    pool: InterpreterPool
    input: InputSpec
    output: OutputSpec
    card: ModelCard
    sources: dict[str, str]
    notes: tuple[str, ...]


def load(
    file: Path, interpreters: int, sha256: str | None = None, known: Mapping[str, Fields] | None = None
) -> LoadedModel:
    """Load a model.

    Args:
        file: A .tflite.
        interpreters: Maximum number of interpreters, which is the number of photos processed at once.
        sha256: The file's checksum in hex; None to compute it if it is needed.
        known: Values of the cards of known models by the checksums of their files; None for those of known_models,
            which is imported only if the file has no card.

    Raises:
        ModelRejected: If the file is damaged, is not a segmentation model, its card is invalid, or the runtime cannot
            execute it.
    """
    tables = {} if sha256 in bundled.CHECKSUMS else _verified_tables(file)
    source, stated = "embedded", cards.read_values(file) or {}
    if not stated:
        stated = known_values(sha256 or hashlib.sha256(file.read_bytes()).hexdigest(), known)
        source = "known"
    card = ModelCard(source=source).with_values(
        stated
    )  # an invalid card is rejected before the runtime loads the model
    probed = probe(file, tensor_hints(card, stated))
    pool, notes = InterpreterPool(probed, interpreters), probed.notes
    if stated.keys() >= SUFFICIENT_FIELDS:
        named = card_sources.background_field(card.labels)
        values, sources = card_sources.merge(("inferred", named), (source, stated))
        card = card.with_values(values)
    else:
        from model.tflite import complete_card  # the bundled model starts without it

        card, sources, notes = complete_card.complete_card(file, tables, probed, pool, stated, source)
    return LoadedModel(pool, probed.input, probed.output, _fit_to_tensors(card, probed), sources, notes)


def _verified_tables(file: Path) -> Table:
    from model.tflite import verify  # the bundled model starts without it

    return verify.read_model(file)


def known_values(sha256: str, known: Mapping[str, Fields] | None = None) -> Fields:
    """Return the card of a known model.

    Args:
        sha256: Checksum of the model's file in hex.
        known: As for `load`.

    Returns:
        The values by field; empty if the model is not known.
    """
    if known is not None:
        return known.get(sha256, {})
    from model.tflite.known_models import KNOWN_MODELS  # only models without a card pay for this import

    return KNOWN_MODELS[sha256].card_values() if sha256 in KNOWN_MODELS else {}


def tensor_hints(stated: ModelCard, embedded: Fields) -> TensorHints:
    """Return what an embedded card states about the tensors.

    Args:
        stated: The card, with defaults for the fields that it leaves out.
        embedded: The fields that it has.
    """
    class_count = len(stated.labels) if "labels" in embedded else None
    return TensorHints(stated.input_size, stated.output, stated.output_size, class_count)


def has_implied_background(card: ModelCard, output: OutputSpec) -> bool:
    """Return whether the card has the background as a class, for which the output has no channel."""
    return (
        output.channels > 1
        and len(card.labels) == output.channels + 1
        and card.background is not None
        and card.activation in ("none", "sigmoid")
    )


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
    if card.activation != "ids" and len(card.labels) != classes and not has_implied_background(card, output):
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
