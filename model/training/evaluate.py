"""Evaluate models on the same photos and compare them: `python -m model.training.evaluate MODEL.h5 MODEL.tflite...`.

Every photo is decoded, scaled, segmented and its mask enlarged as in the function. The first model is the reference
that the others are compared with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from model.tflite import card as cards
from model.tflite import loading, trial
from model.tflite.card import ModelCard
from model.training import card_draft, card_options, cli, model_options, photo_options, reference
from model.training.cli import CommandError
from model.training.data import samples, scenes, split
from model.training.data.samples import Sample
from model.training.measure import evaluation, groups, latency, report
from model.training.measure.evaluation import Candidate, Evaluation
from model.training.measure.interpreter import Interpreter

if TYPE_CHECKING:
    from model.training.nets.float_model import FloatModel

SCENES = 100  # composed scenes, if the photos are evaluated by group


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate every model, write the report, and fail if a model's IoU is too far below the first model's."""
    args = arguments().parse_args(argv)
    photos, negatives = read_photos(args)
    candidates = [load(file, args) for file in args.models]
    reference.check_normalization(candidates[0], photos, args)
    results = [evaluation.evaluate(candidate, photos, negatives) for candidate in candidates]
    if args.runs:
        results = [measured(result, [Path(sys.executable), *args.runtime_python], args.runs) for result in results]
    report.write(args.out, results, photos)
    print(report.table(results))
    print(f"the report is in {args.out / 'report.md'}")
    if args.part:
        write_groups(args.out, candidates, photos, negatives)
    if args.max_drop is not None:
        check_drop(results, args.max_drop)


def read_photos(args: argparse.Namespace) -> tuple[list[Sample], list[Sample]]:
    """Read the folders and return the photos to evaluate on, and those without an object.

    Raises:
        CommandError: If the folders cannot be read, or none of their photos is to be evaluated on.
    """
    dataset = samples.load_all(args.photos, args.masks, args.kind, args.skip_broken)
    negatives = samples.load_negatives(args.negatives) if args.negatives else []
    if args.part:
        return split.select(dataset.samples, args.part), split.select(negatives, args.part) if negatives else []
    if args.all:
        return dataset.samples, negatives
    return split.split_in_two(dataset.samples, args.leave_out)[1], negatives


def write_groups(
    out: Path, candidates: Sequence[Candidate], photos: Sequence[Sample], negatives: Sequence[Sample]
) -> None:
    """Evaluate by group, composed scenes included; print the tables and write them to groups.md and groups.json."""
    with tempfile.TemporaryDirectory() as folder:
        composed = scenes.write_scenes(Path(folder), [*photos, *negatives], SCENES)
        by_group = {**groups.group_photos(photos), "composed scenes": composed}
        every = [*photos, *composed]
        rows = {c.file.name: groups.results(by_group, evaluation.evaluate(c, every, negatives)) for c in candidates}
    tables = "\n\n".join(groups.table(name, results) for name, results in rows.items())
    print(tables)
    cli.write_atomic(out / "groups.md", tables + "\n")
    as_json = {name: [asdict(row) for row in results] for name, results in rows.items()}
    cli.write_atomic(out / "groups.json", json.dumps(as_json, indent=2) + "\n")


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.evaluate", description=__doc__.split(":")[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="Keras model, SavedModel or .tflite")
    photo_options.add_arguments(parser)
    photos = parser.add_mutually_exclusive_group()
    photos.add_argument("--all", action="store_true", help="evaluate on every photo, not only on those held out")
    photos.add_argument("--leave-out", metavar="PREFIX", help="evaluate on the photos with this name prefix")
    photos.add_argument(
        "--part",
        choices=("validation", "test"),
        help="evaluate on one part of the split of train --three-parts, by group and with composed scenes",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("training-out/report"), metavar="FOLDER", help="folder of the report"
    )
    parser.add_argument("--max-drop", type=float, metavar="IOU", help="fail if a model's IoU drops by more than this")
    parser.add_argument("--runs", type=int, default=50, help="inferences to time, default 50; 0 skips the timing")
    parser.add_argument(
        "--runtime-python",
        type=Path,
        action="append",
        default=[],
        metavar="PYTHON",
        help="measure latency and memory with the runtime of this Python too; may be repeated",
    )
    parser.add_argument(
        "--size", type=card_options.size, metavar="WxH", help="of the input, for Keras models of any input size"
    )
    model_options.add_arguments(parser)
    card_options.add_arguments(parser)
    return parser


def load(file: Path, args: argparse.Namespace) -> Candidate:
    """Load a model, with the card inside it, or else with the card that the options describe.

    Args:
        file: A .tflite, or what `keras_files.load` reads.
        args: The command line: `--size` and the options of the card.

    Returns:
        The model, ready to be evaluated.

    Raises:
        CommandError: If a Keras model cannot be loaded, or the options do not fit the model.
        ModelRejected: If a .tflite cannot be loaded, or the card does not fit the model.
    """
    model: Interpreter | FloatModel
    is_assumed = False
    if file.suffix == ".tflite":
        with cli.silence_native_output():
            trial.check(file)
            model, card = Interpreter(file), tflite_card(file, args)
    else:
        from model.training.nets import keras_files

        with cli.silence_native_output():
            model = keras_files.load(file, args.size, model_options.load_options(args))
        draft = reference.card_draft_of(file, model, args)
        card, is_assumed = draft.card, not draft.states("mean")
    parts = [part for part in file.rglob("*") if part.is_file()] if file.is_dir() else [file]
    size_bytes = sum(part.stat().st_size for part in parts)
    digest = "" if file.is_dir() else hashlib.sha256(file.read_bytes()).hexdigest()
    return Candidate(file, model, model.input, len(card.labels), card, size_bytes, digest, is_assumed)


def tflite_card(file: Path, args: argparse.Namespace) -> ModelCard:
    """Return the card of a .tflite as the function completes it; without an embedded card, the options apply too."""
    card = loading.load(file, 1).card
    if cards.read_values(file) is not None:
        return card
    return card_draft.start(args, file, card_draft.all_stated(card, "the model")).card


def measured(result: Evaluation, pythons: Sequence[Path], runs: int) -> Evaluation:
    """Add a .tflite's latency and memory with each of the given Pythons; return other models' results as they are."""
    file = result.candidate.file
    if file.suffix != ".tflite":
        return result
    return replace(result, measurements=[latency.measure_with(python, file, runs) for python in pythons])


def check_drop(results: Sequence[Evaluation], max_drop: float) -> None:
    """Raise CommandError if a model's IoU is more than max_drop below the first model's."""
    first = results[0]
    for result in results[1:]:
        drop = first.iou - result.iou
        if drop > max_drop:
            name, reference = result.candidate.file.name, first.candidate.file.name
            raise CommandError(f"the IoU of {name} is {drop:.4f} below that of {reference}; the limit is {max_drop}")


if __name__ == "__main__":
    cli.run(main)
