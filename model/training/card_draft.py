"""A model card while it is put together: the fields that were stated or found out, each with its source."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from model.tflite import card as cards
from model.tflite import card_sources
from model.tflite.card import ModelCard
from model.training import card_options, normalization
from model.training.cli import CommandError

CLASS_FIELDS = ("background", "thresholds", "palette")  # which belong to the labels

Fields = dict[str, Any]


@dataclass(frozen=True)
class CardDraft:
    """A card, and which of its fields were stated or found out. Only those are embedded in a model.

    Attributes:
        values: The fields that were stated or found out.
        sources: The source of each field: "option", the name of a card file, "inferred", or "default" for the
            others, which are assumptions.
        notes: Remarks for the user, one sentence each.
    """

    values: Fields
    sources: dict[str, str]
    notes: tuple[str, ...] = ()

    @property
    def card(self) -> ModelCard:
        """The complete card, with defaults for the other fields."""
        return ModelCard().with_values(self.values)

    def states(self, name: str) -> bool:
        """Return whether a field was stated or found out."""
        return self.sources[name] != "default"

    @property
    def names(self) -> list[str]:
        """The fields that were stated or found out."""
        return [name for name in self.values if self.states(name)]

    def with_found(self, values: Fields, source: str = "inferred") -> CardDraft:
        """Return the draft with fields that were found out; they replace stated ones."""
        return CardDraft(self.values | values, self.sources | dict.fromkeys(values, source), self.notes)

    def with_note(self, note: str) -> CardDraft:
        """Return the draft with a remark."""
        return CardDraft(self.values, self.sources, (*self.notes, note))


def start(args: argparse.Namespace, file: Path, base: tuple[tuple[str, Fields], ...] = ()) -> CardDraft:
    """Return what the options and the card file state.

    Args:
        args: The command line.
        file: The model's file, beside which a card.json may be, and whose name is the default name.
        base: Sources that the card file and the options override, as for `card_sources.merge`.

    Returns:
        The draft.

    Raises:
        CommandError: If the options or the card file contradict themselves.
        ModelRejected: If a value is invalid.
    """
    options, note = card_options.stated_by(args)
    layers, notes = list(base), [note] if note else []
    card_file = args.card or file.parent / "card.json"
    if args.card or card_file.is_file():
        stated = cards.parse_values(card_file.read_text())
        normalization.check_card_file(stated, card_file.name)
        layers.append((card_file.name, stated))
        if not args.card:
            notes.append(f"{card_file} beside the model is used; the options override it")
    layers = _without_outdated([("file name", {"name": file.stem}), *layers, ("option", options)])
    values, sources = card_sources.merge(*layers)
    if isinstance(values.get("background"), str):
        values["background"] = _class_id(values["background"], values.get("labels", ()))
    # The number of thresholds can be checked only when it is known whether the background is a class of its own.
    ModelCard().with_values({name: value for name, value in values.items() if name != "thresholds"})
    return CardDraft(values, sources, tuple(notes))


def _without_outdated(layers: Sequence[tuple[str, Fields]]) -> list[tuple[str, Fields]]:
    """Drop what a layer states about classes, if a later layer states other labels."""
    result = []
    for i, (source, values) in enumerate(layers):
        labels = [later["labels"] for _, later in layers[i + 1 :] if "labels" in later]
        outdated = set(CLASS_FIELDS) if labels and "labels" in values else set()
        if labels and len(labels[-1]) == len(values.get("labels", ())):
            outdated.discard("palette")
        result.append((source, {name: value for name, value in values.items() if name not in outdated}))
    return result


def _class_id(text: str, labels: Sequence[str]) -> int | None:
    """Return the class that --background names, by its label or its index; None for "none"."""
    if text in labels:
        return list(labels).index(text)
    if text.isdecimal():
        return int(text)
    if text == "none":
        return None
    raise CommandError(f"--background {text} is neither a class ({', '.join(labels)}), nor an index, nor none")


def words(draft: CardDraft, size_wh: tuple[int, int], channels: int = 3) -> str:
    """Return the card in words, one line for the input and one for the output, each part with its source."""
    card, sources = draft.card, draft.sources

    def source(*names: str) -> str:
        found = {sources[name] for name in names}
        return "assumed" if found == {"default"} else " and ".join(sorted(found - {"default"}))

    fit = "" if card.fit == "stretch" else f", letterbox with bars of {card.fill} ({source('fit')})"
    border = f", the outer {card.border} pixels mirrored ({source('border')})" if card.border else ""
    order = "" if channels == 1 or sources["order"] == sources["mean"] else f", order {source('order')}"
    background = "none" if card.background is None else card.labels[card.background]
    threshold = card.thresholds or card.threshold
    lines = [
        f"input: {size_wh[0]} x {size_wh[1]}, {normalization.words(card, channels)} ({source('mean', 'std')}{order})"
        f"{fit}{border}",
        f"output: activation {card.activation} ({source('activation')}), threshold {threshold}"
        f" ({source('threshold', 'thresholds')})",
        f"classes: {_shortened(card.labels)} ({source('labels')}); background {background} ({source('background')})",
    ]
    return "\n".join(lines)


def _shortened(labels: tuple[str, ...]) -> str:
    return ", ".join(labels) if len(labels) <= 8 else f"{', '.join(labels[:6])} ... {labels[-1]}, {len(labels)} in all"


def all_stated(
    card: ModelCard, source: str, sources: Mapping[str, str] = MappingProxyType({})
) -> tuple[tuple[str, Fields], ...]:
    """Return a complete card as the base of a draft.

    Args:
        card: The card.
        source: Its name.
        sources: The source of each field within it; those with the source "default" stay assumptions.
    """
    values = {field.name: getattr(card, field.name) for field in fields(ModelCard) if field.name != "source"}
    stated = {name: value for name, value in values.items() if sources.get(name) != "default"}
    assumed = {name: value for name, value in values.items() if name not in {*stated, *CLASS_FIELDS}}
    return ("default", assumed), (source, stated)
