"""Judge models side by side on the same photos: `python -m model.training.evaluate MODEL.h5 MODEL.tflite...`.

Every photo goes the way it goes in service: decoded, scaled, run, and its mask brought to the photo's own size.
The first model named is the one that the others are held against.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelRejected
from model.image import preprocess, score_map
from model.tflite import card as cards
from model.tflite.card import ModelCard
from model.training import card_options, cli
from model.training.cli import CommandError
from model.training.data import samples
from model.training.data.samples import UNKNOWN, Sample
from model.training.measure import latency, metrics, report
from model.training.measure.interpreter import Interpreter
from model.training.measure.latency import Figures
from model.training.quantize import to_input

if TYPE_CHECKING:
    from model.training.nets.keras_files import FloatModel


@dataclass(frozen=True)
class Candidate:
    """A model that can be asked for the scores of a photo.

    infer: from float32 (1, h, w, 3) to float32 (1, h', w', K)
    size_bytes: of its file or folder
    sha256: of a file, in hex; empty for a folder
    """

    file: Path
    infer: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    input_wh: tuple[int, int]
    classes: int
    card: ModelCard
    size_bytes: int
    sha256: str

    def scores(self, sample: Sample) -> NDArray[np.float32]:
        """Give float32 (h', w', K), 0 to 1, for a photo."""
        return preprocess.to_scores(self.infer(to_input(sample.photo_file, self.input_wh, self.card))[0], self.card)

    def mask(self, scores: NDArray[np.float32], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
        """Give uint8 (H, W) class ids for a photo's scores."""
        return score_map.from_scores(scores, self.card.threshold, size_wh, self.card.background)


@dataclass(frozen=True)
class Verdict:
    """What a model did on the photos.

    photo_iou: by photo, what its IoU counts for: of the object, or the mean over three classes or more
    class_iou: by class, the mean of the photos' IoU over the classified pixels, at the card's threshold
    pooled_iou: by class, over all pixels of all photos at once
    border_iou, border_threshold: of the object, with the border as object, at the best threshold; None where
        the masks leave nothing unclassified, or there are more classes
    boundary_f: mean F-score of the outlines
    marked: by photo that shows no object, the share of its pixels that the mask marks
    """

    candidate: Candidate
    photo_iou: dict[str, float]
    class_iou: list[float]
    pooled_iou: list[float]
    border_iou: float | None
    border_threshold: float | None
    boundary_f: float
    marked: dict[str, float]
    figures: list[Figures] = field(default_factory=list)

    @property
    def iou(self) -> float:
        """The one figure that models are held against each other by."""
        return self.class_iou[1] if len(self.class_iou) == 2 else float(np.nanmean(self.class_iou))


def main(argv: Sequence[str] | None = None) -> None:
    """Judge every model, write the report, and refuse a fall over the limit."""
    args = arguments().parse_args(argv)
    folder = samples.load(args.photos, args.masks, args.kind, args.skip_broken)
    judged_on = folder.samples if args.all else samples.split(folder.samples, args.leave_out)[1]
    without = samples.without_object(args.negatives) if args.negatives else []
    candidates = [load(file, args) for file in args.models]
    verdicts = [judge(candidate, judged_on, without) for candidate in candidates]
    pythons = [Path(sys.executable), *args.runtime_python] if args.runs else []
    for verdict in verdicts:
        if verdict.candidate.file.suffix == ".tflite":
            verdict.figures.extend(
                latency.measure_with(python, verdict.candidate.file, args.runs) for python in pythons
            )
    report.write(args.out, verdicts, judged_on)
    print(report.table(verdicts))
    print(f"the report is {args.out / 'report.md'}")
    for verdict in verdicts[1:]:
        drop = verdicts[0].iou - verdict.iou
        if args.max_drop is not None and drop > args.max_drop:
            raise CommandError(
                f"{verdict.candidate.file.name} falls {drop:.4f} below {verdicts[0].candidate.file.name}; the limit is"
                f" {args.max_drop}"
            )


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.evaluate", description=__doc__.split(":")[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="Keras model, SavedModel or .tflite")
    parser.add_argument("--photos", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--masks", type=Path, required=True, metavar="FOLDER", help="NAME.png for each photo")
    parser.add_argument("--kind", choices=samples.KINDS, default="auto", help=samples.KIND_HELP)
    parser.add_argument("--skip-broken", action="store_true", help="go on without pairs that are broken")
    parser.add_argument("--all", action="store_true", help="judge on every photo, not only on the tenth held out")
    parser.add_argument("--leave-out", metavar="PREFIX", help="judge on the photos whose name begins so")
    parser.add_argument("--negatives", type=Path, metavar="FOLDER", help="photos without any object")
    parser.add_argument("--out", type=Path, default=Path("training-out/report"), metavar="FOLDER", help="of the report")
    parser.add_argument("--max-drop", type=float, metavar="IOU", help="refuse a model that falls further than this")
    parser.add_argument("--runs", type=int, default=50, help="inferences that are timed; 0 times none")
    parser.add_argument(
        "--runtime-python",
        type=Path,
        action="append",
        default=[],
        metavar="PYTHON",
        help="time and weigh in this Python's runtime too; may be repeated",
    )
    parser.add_argument("--size", type=int, metavar="PX", help="side of the input, where a Keras model leaves it open")
    card_options.add_arguments(parser)
    return parser


def load(file: Path, args: argparse.Namespace) -> Candidate:
    """Load a model, with the card inside it, or else the card that the options describe.

    raises: CommandError, ModelRejected
    """
    model: Interpreter | FloatModel
    with cli.silence_native_output():
        if file.suffix == ".tflite":
            model = Interpreter(file)
            card = cards.read(file)
        else:
            from model.training.nets import keras_files

            model = keras_files.load(file, args.size)
            card = None
    if card is None:
        card = card_options.card(args, file, model.classes)
        if card_options.wants_settling(args):
            card = card_options.settle(card, model, model.input_wh)
    if card.fit != "stretch" or card.activation == "ids":
        raise ModelRejected(f"the card of {file.name} asks for bars or gives class ids, which are not judged here")
    if max(2, model.classes) != len(card.labels):
        raise ModelRejected(f"the card of {file.name} names {len(card.labels)} classes, the model has {model.classes}")
    parts = [part for part in file.rglob("*") if part.is_file()] if file.is_dir() else [file]
    size_bytes = sum(part.stat().st_size for part in parts)
    digest = "" if file.is_dir() else hashlib.sha256(file.read_bytes()).hexdigest()
    return Candidate(file, model, model.input_wh, model.classes, card, size_bytes, digest)


def judge(candidate: Candidate, judged_on: list[Sample], without: list[Sample]) -> Verdict:
    """Compare a model's masks of every photo with the truth."""
    count = max(2, candidate.classes)
    tables, curves, outlines, border = [], [], [], False
    for sample in cli.progress(judged_on, candidate.file.name):
        truth = np.asarray(sample.ids)
        if truth[truth != UNKNOWN].max(initial=0) >= count:
            raise CommandError(
                f"{sample.name} has class ids that {candidate.file.name}, with {count} classes, cannot give"
            )
        scores, size_wh = candidate.scores(sample), (truth.shape[1], truth.shape[0])
        found = candidate.mask(scores, size_wh)
        tables.append(metrics.confusion(found, truth, count))
        outlines.append(metrics.boundary_f(found, truth))
        if count == 2:
            border |= bool((truth == UNKNOWN).any())
            curves.append(metrics.border_curve(score_map.probability(scores, 1, size_wh), truth))
    by_photo = np.array([metrics.ious(table) for table in tables])
    counts_for = by_photo[:, 1] if count == 2 else metrics.mean(by_photo, axis=1)
    curve = np.mean(curves, axis=0) if border else None
    return Verdict(
        candidate=candidate,
        photo_iou={sample.name: float(iou) for sample, iou in zip(judged_on, counts_for, strict=True)},
        class_iou=metrics.mean(by_photo, axis=0).tolist(),
        pooled_iou=metrics.ious(np.sum(tables, axis=0)).tolist(),
        border_iou=None if curve is None else float(curve.max()),
        border_threshold=None if curve is None else float(curve.argmax() / 255),
        boundary_f=float(np.mean(outlines)),
        marked={sample.name: _marked(candidate, sample) for sample in without},
    )


def _marked(candidate: Candidate, sample: Sample) -> float:
    found = candidate.mask(candidate.scores(sample), sample.photo.size)
    return float(np.count_nonzero(found != (candidate.card.background or 0)) / found.size)


if __name__ == "__main__":
    cli.run(main)
