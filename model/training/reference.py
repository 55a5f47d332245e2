"""The float model that evaluate compares converted models with: its card, and whether it is fed rightly."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from model.tflite import card as cards
from model.tflite import loading, verify
from model.training import card_draft, cli, input_meaning, normalization, output_meaning
from model.training.card_draft import CardDraft
from model.training.cli import CommandError
from model.training.data.samples import Sample
from model.training.measure import evaluation
from model.training.measure.evaluation import Candidate
from model.training.nets import converter

if TYPE_CHECKING:
    from model.training.nets.float_model import FloatModel

PHOTOS = 8  # on which other normalizations are tried
MARGIN = 0.1  # of IoU by which another one must be better


def card_draft_of(file: Path, model: FloatModel, args: argparse.Namespace) -> CardDraft:
    """Return the card of a Keras model: that of the first .tflite with a card, with what the options state.

    Args:
        file: The model's file.
        model: The model.
        args: The command line.

    Raises:
        CommandError: If the card contradicts the model, or more has to be stated.
    """
    converted = next((path for path in args.models if path.suffix == ".tflite" and cards.read_values(path)), None)
    if converted is None:
        draft = input_meaning.complete(card_draft.start(args, file), model)
        with tempfile.NamedTemporaryFile(suffix=".tflite") as temporary:
            temporary.write(converter.convert(model, "float32", []))
            temporary.flush()
            draft = output_meaning.complete(draft, model, verify.read_model(Path(temporary.name)))
    else:
        with cli.silence_native_output():
            loaded = loading.load(converted, 1)
        base = card_draft.all_stated(loaded.card, f"the card of {converted.name}", loaded.sources)
        draft = input_meaning.complete(card_draft.start(args, file, base), model)
        tables = verify.read_model(converted) if loaded.output.index == 0 else None
        draft = output_meaning.complete(draft, model, tables)
    for note in draft.notes:
        print(note)
    print(f"{file.name}:\n{card_draft.words(draft, model.input_wh, model.input.channels)}")
    return draft


def check_normalization(candidate: Candidate, photos: Sequence[Sample], args: argparse.Namespace) -> None:
    """Try other normalizations on a few photos, if that of the reference is an assumption.

    Args:
        candidate: The reference.
        photos: Photos with masks.
        args: The command line.

    Raises:
        CommandError: If another one is much better and --max-drop is given, which would compare two wrong masks;
            without --max-drop a warning is printed.
    """
    if not candidate.is_assumed:
        return
    few = photos[:: max(1, len(photos) // PHOTOS)][:PHOTOS]
    assumed = evaluation.evaluate(candidate, few).iou
    others = {
        name: evaluation.evaluate(replace(candidate, card=candidate.card.with_values(preset)), few).iou
        for name, preset in normalization.PRESETS.items()
    }
    best = max(others, key=lambda name: others[name])
    if others[best] <= assumed + MARGIN:
        return
    message = (
        f"the normalization of {candidate.file.name} is assumed ({normalization.words(candidate.card)}) and gives an"
        f" IoU of {assumed:.3f} on {len(few)} photos; --preprocess {best} gives {others[best]:.3f}: state it, for"
        " quantize too"
    )
    if args.max_drop is not None:
        raise CommandError(message)
    print(f"WARNING: {message}")
