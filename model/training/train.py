"""Train the network on a folder of photos and masks: `python -m model.training.train --help`.

The same command, given again after it was cut off, goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from model.training import card_options, cli
from model.training.cli import CommandError
from model.training.data import samples
from model.training.fit import schedule

WEIGHTS_HELP = """begin with a model of train's, not ImageNet's: its .h5, or a .tflite of it with float weights; of
several that began alike, with their mean"""


def main(argv: Sequence[str] | None = None) -> None:
    """Read the photos, plan the run, and train."""
    args = arguments().parse_args(argv)
    if args.epochs < (0 if args.weights else 1):
        raise CommandError("--epochs must be at least 1, or 0 to save the mean of --weights as it is")
    if args.form == "folded" and not args.weights:
        raise CommandError("--folded needs --weights: a network that has not been trained has nothing to fold")
    if args.size % 32 or args.size < 32:
        raise CommandError(f"--size must be a multiple of 32, not {args.size}")
    folder = samples.load(args.photos, args.masks, args.kind, args.skip_broken)
    if folder.classes > args.classes:
        raise CommandError(f"the masks have {folder.classes} classes; say --classes {folder.classes}")
    train, held = samples.split(folder.samples, args.leave_out)
    train += samples.without_object(args.negatives) if args.negatives else []
    print(f"{len(train)} photos to train on, {len(held)} held out", flush=True)
    from model.training.fit import trainer

    labels = args.labels or card_options.default_labels(args.classes)
    if len(labels) != args.classes:
        raise CommandError(f"--labels names {len(labels)} classes, --classes says {args.classes}")
    run = trainer.Run(
        out=args.out,
        classes=1 if args.classes == 2 else args.classes,
        seed=args.seed,
        train=train,
        held=held,
        phases=schedule.phases(args.size, args.epochs, args.peak_rate, args.form),
        card=trainer.card(args.out.resolve().name, labels),
        every=args.every,
        weights=args.weights,
    )
    cli.write_atomic(args.out / "card.json", run.card.to_json() + "\n")
    if args.epochs == 0:
        trainer.mean(run)
        return
    trainer.fit(run)
    print(f"the models, their history and curves.png are in {args.out}")


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.train", description=__doc__.split(":")[0])
    parser.add_argument("--photos", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--masks", type=Path, required=True, metavar="FOLDER", help="NAME.png for each photo")
    parser.add_argument("--kind", choices=samples.KINDS, default="auto", help=samples.KIND_HELP)
    parser.add_argument("--skip-broken", action="store_true", help="go on without pairs that are broken")
    parser.add_argument("--negatives", type=Path, metavar="FOLDER", help="photos without any object, to train on too")
    parser.add_argument("--leave-out", metavar="PREFIX", help="hold out the photos whose name begins so, not a tenth")
    parser.add_argument("--out", type=Path, default=Path("training-out"), metavar="FOLDER", help="training-out")
    parser.add_argument("--size", type=int, default=256, metavar="PX", help="side of the input, default 256")
    parser.add_argument("--epochs", type=int, default=70, help="default 70; 0 saves the mean of --weights")
    parser.add_argument("--classes", type=int, default=2, metavar="K", help="background included, default 2")
    parser.add_argument("--labels", type=card_options.names, metavar="A,B,...", help="their names, for the card")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weights", type=Path, nargs="+", default=[], metavar="FILE", help=WEIGHTS_HELP)
    parser.add_argument("--peak-rate", type=float, default=1.5e-3, help="highest learning rate, default 0.0015")
    parser.add_argument("--every", type=int, default=5, help="epochs between looks at the photos held out, default 5")
    last = parser.add_mutually_exclusive_group()
    last.add_argument(
        "--folded",
        action="store_const",
        const="folded",
        dest="form",
        help="train at the full size with normalizations folded into the convolutions, as in service: a last, short"
        " run from --weights at a low rate; another run can begin with the .tflite made of it, not with its .h5",
    )
    last.add_argument(
        "--quantization-aware",
        action="store_const",
        const="rounded",
        dest="form",
        help="train on for a tenth of the epochs with int8's roundings in place; makes model-aware.h5 for the"
        " int8 recipes of quantize",
    )
    parser.set_defaults(form="normalized")
    return parser


if __name__ == "__main__":
    cli.run(main)
