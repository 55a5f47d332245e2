"""Segment photos on this machine, with no server: `python -m model photo.jpg`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from model.errors import SilhouetteError
from model.options import OUTPUTS, SIZES, Options
from model.segmenter import Segmenter
from model.serving.settings import Settings


def main() -> int:
    """Segment each photo named, and go on past those that fail.

    returns: the exit code: 0 when all worked, 1 when one failed or the model could not be loaded
    """
    args = _arguments()
    settings = Settings.from_env()
    if args.model:
        settings = replace(settings, model_uri=args.model)
    asked = {"output": args.output, "size": args.size, "threshold": args.threshold, "class": args.class_name}
    try:
        segmenter = Segmenter(settings)
        options = Options.parse({name: value for name, value in asked.items() if value is not None}, segmenter.card)
    except SilhouetteError as error:
        print(error, file=sys.stderr)
        return 1
    if args.out and len(args.photos) > 1:
        args.out.mkdir(parents=True, exist_ok=True)
    return max([_segment(segmenter, photo, options, args.out) for photo in args.photos])


def _segment(segmenter: Segmenter, photo: Path, options: Options, out: Path | None) -> int:
    suffix = ".json" if options.output == "json" else ".png"
    target = out or photo.parent
    if target.is_dir():
        target = target / f"{photo.stem}-{options.output}{suffix}"
    try:
        answer = segmenter.segment(photo.read_bytes(), options)
        target.write_bytes(answer.body)
    except (SilhouetteError, OSError) as error:
        print(f"{photo}: {error}", file=sys.stderr)
        return 1
    stages = ", ".join(f"{stage} {ms:.1f} ms" for stage, ms in answer.stages_ms.items())
    print(f"{photo} -> {target} ({stages})")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m model", description="Segment photos here, with no server.")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--model", help="a .tflite; the bundled one where neither this nor MODEL_URI names one")
    parser.add_argument("--output", choices=OUTPUTS, default="mask")
    parser.add_argument("--size", choices=SIZES, default="photo")
    parser.add_argument("--threshold", help="score from which on a pixel is object, 0 to 1")
    parser.add_argument("--class", dest="class_name", metavar="NAME", help="answer about this class alone")
    parser.add_argument("--out", type=Path, metavar="FILE|FOLDER", help="where to write; beside the photo otherwise")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
