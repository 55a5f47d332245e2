"""Train the network on photos and masks: `python -m model.training.train --help`.

An interrupted run continues from its checkpoint when the same command is run again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from model.training import card_options, cli, photo_options
from model.training.cli import CommandError
from model.training.data import augment, samples, split
from model.training.data.samples import Sample
from model.training.fit import schedule

WEIGHTS_HELP = """start from a model that train saved (.h5), or from a float .tflite made of one, instead of the
ImageNet weights; of several models, from the mean of their weights"""


def main(argv: Sequence[str] | None = None) -> None:
    """Read the photos, plan the run and train."""
    args = arguments().parse_args(argv)
    check(args)
    train, validation = read_photos(args)
    print(f"{len(train)} photos to train on, {len(validation)} held out", flush=True)
    labels = args.labels or card_options.default_labels(args.classes)
    if len(labels) != args.classes:
        raise CommandError(f"--labels has {len(labels)} labels for --classes {args.classes}")
    from model.training.fit import trainer

    run = trainer.TrainingRun(
        out=args.out,
        classes=1 if args.classes == 2 else args.classes,
        seed=args.seed,
        train=train,
        validation=validation,
        phases=schedule.phases(args.size, args.epochs, args.peak_rate, args.form, args.encoder_rate),
        card=trainer.card(args.out.resolve().name, labels),
        every=args.every,
        weights=args.weights,
        mixture=augment.Mixture(args.composed, args.mosaic, args.absent),
        fresh_encoder=args.fresh_encoder,
    )
    cli.write_atomic(args.out / "card.json", run.card.to_json() + "\n")
    if args.epochs == 0:
        trainer.save_mean(run)
        return
    trainer.fit(run)
    print(f"the models, history.csv and curves.png are in {args.out}")


def check(args: argparse.Namespace) -> None:
    """Raise CommandError if options contradict each other or have values out of range."""
    if args.epochs < (0 if args.weights else 1):
        raise CommandError("--epochs must be at least 1, or 0 to save the mean of --weights")
    if args.form == "folded" and not args.weights:
        raise CommandError("--folded needs --weights, a trained network whose normalization can be folded")
    if args.fresh_encoder and not args.weights:
        raise CommandError("--fresh-encoder needs --weights, which has the decoder")
    if args.encoder_rate < 0:
        raise CommandError("--encoder-rate must not be negative")
    if args.size % 32 or args.size < 32:
        raise CommandError(f"--size must be a multiple of 32, not {args.size}")
    if min(args.composed, args.mosaic, args.absent) < 0 or args.composed + args.mosaic + args.absent > 1:
        raise CommandError("--composed, --mosaic and --absent are shares: none may be negative, their sum at most 1")


def read_photos(args: argparse.Namespace) -> tuple[list[Sample], list[Sample]]:
    """Read the folders and return the photos to train on and those to validate on.

    Raises:
        CommandError: If the folders do not match the options, or one of the two parts is empty.
    """
    dataset = samples.load_all(args.photos, args.masks, args.kind, args.skip_broken)
    if dataset.classes > args.classes:
        raise CommandError(f"the masks have {dataset.classes} classes; add --classes {dataset.classes}")
    negatives = samples.load_negatives(args.negatives) if args.negatives else []
    if args.three_parts:
        negatives = [sample for sample in negatives if split.part_of(sample.name) == "training"]
        train, validation = (split.select(dataset.samples, part) for part in ("training", "validation"))
    else:
        train, validation = split.split_in_two(dataset.samples, args.leave_out)
    return train + negatives, validation


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.train", description=__doc__.split(":")[0])
    photo_options.add_arguments(parser)
    held = parser.add_mutually_exclusive_group()
    held.add_argument(
        "--leave-out", metavar="PREFIX", help="hold out the photos with this name prefix instead of one in ten"
    )
    held.add_argument(
        "--three-parts",
        action="store_true",
        help="hold out one photo in ten for validation, and do not use the test part: another tenth and five breeds",
    )
    parser.add_argument("--out", type=Path, default=Path("training-out"), metavar="FOLDER", help="default training-out")
    parser.add_argument("--size", type=int, default=256, metavar="PX", help="side of the input, default 256")
    parser.add_argument("--epochs", type=int, default=70, help="default 70; 0 saves the mean of --weights")
    parser.add_argument("--classes", type=int, default=2, metavar="K", help="with the background, default 2")
    parser.add_argument("--labels", type=card_options.names, metavar="A,B,...", help="the classes' names for the card")
    parser.add_argument("--seed", type=int, default=1, help="of all random numbers, default 1")
    parser.add_argument("--weights", type=Path, nargs="+", default=[], metavar="FILE", help=WEIGHTS_HELP)
    parser.add_argument("--peak-rate", type=float, default=1.5e-3, help="highest learning rate, default 0.0015")
    parser.add_argument(
        "--encoder-rate", type=float, default=0.2, metavar="FACTOR", help="of the rate, for the encoder, default 0.2"
    )
    parser.add_argument(
        "--fresh-encoder",
        action="store_true",
        help="start the encoder from its ImageNet weights and only the decoder from --weights",
    )
    parser.add_argument("--every", type=int, default=5, help="epochs between two evaluations, default 5")
    add_mixture_arguments(parser)
    add_form_arguments(parser)
    return parser


def add_mixture_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what training pairs are made of."""
    mixture = parser.add_argument_group("training pairs", "shares of 1; the remainder are crops of single photos")
    mixture.add_argument("--composed", type=float, default=0.33, metavar="SHARE", help="pasted objects, default 0.33")
    mixture.add_argument("--mosaic", type=float, default=0.06, metavar="SHARE", help="four photos, default 0.06")
    mixture.add_argument("--absent", type=float, default=0.13, metavar="SHARE", help="no object, default 0.13")


def add_form_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that select the form of the network in training."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--folded",
        action="store_const",
        const="folded",
        dest="form",
        help="train with batch normalization folded into the convolutions, as in the converted model:"
        " a short final run from --weights at a low rate; later runs can start from the .tflite made of it, not from"
        " its .h5",
    )
    form.add_argument(
        "--quantization-aware",
        action="store_const",
        const="fake_quantized",
        dest="form",
        help="add a tenth of the epochs with int8 rounding simulated, and save model-aware.h5 for the int8 recipes"
        " of quantize",
    )
    parser.set_defaults(form="batch_norm")


if __name__ == "__main__":
    cli.run(main)
