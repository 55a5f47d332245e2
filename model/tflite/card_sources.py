"""Fields of a card from several sources: all that is needed of them for a model whose card is complete."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from model.tflite.card import ModelCard

BACKGROUND_LABELS = ("background", "__background__", "_background_", "bg")

Fields = dict[str, Any]


def merge(*layers: tuple[str, Fields]) -> tuple[Fields, dict[str, str]]:
    """Merge values of a card from several sources.

    Args:
        layers: The name of a source, and the values that it states by field; a later one overrides an earlier one.

    Returns:
        The values by field, and the source of every field of a card: "default" for those that no layer states.
    """
    values: Fields = {}
    sources = {field.name: "default" for field in fields(ModelCard) if field.name != "source"}
    for source, layer in layers:
        values |= layer
        sources |= dict.fromkeys(layer, source)
    return values, sources


def background_field(labels: tuple[str, ...]) -> Fields:
    """Return the field `background`, if a label names it."""
    background = named_background(labels)
    return {} if background is None else {"background": background}


def named_background(labels: tuple[str, ...]) -> int | None:
    """Return the class that is the background by its label; None if no label says so."""
    return next((i for i, label in enumerate(labels) if is_background(label)), None)


def is_background(label: str) -> bool:
    """Return whether a label names the background."""
    return label.strip().lower() in BACKGROUND_LABELS
