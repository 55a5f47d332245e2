"""Segment photos without a server: `python -m model photo.jpg`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from model.errors import SilhouetteError
from model.options import OUTPUT_NAMES, SIZES, Options
from model.segmenter import Segmenter
from model.serving.model_loader import open_segmenter
from model.serving.settings import Settings


def main() -> int:
    """Segment the photos that the command line names; one that fails does not stop the rest.

    Returns:
        The exit code: 0 if all succeeded, 1 if one failed or the model could not be loaded.
    """
    args = _parser().parse_args()
    settings = Settings.from_env()
    if args.model:
        settings = replace(settings, model_uri=args.model)
    values = {"output": args.output, "size": args.size, "threshold": args.threshold, "class": args.class_name}
    try:
        segmenter = open_segmenter(settings)
        options = Options.parse({name: value for name, value in values.items() if value is not None}, segmenter.card)
    except SilhouetteError as error:
        print(error, file=sys.stderr)
        return 1
    if args.out and len(args.photos) > 1:
        args.out.mkdir(parents=True, exist_ok=True)
    return max([_segment(segmenter, photo, options, args.out) for photo in args.photos])


def _segment(segmenter: Segmenter, photo: Path, options: Options, out: Path | None) -> int:
    """Segment a photo and write the output; return the exit code."""
    suffix = ".json" if options.output == "json" else ".png"
    target = out or photo.parent
    if target.is_dir():
        target = target / f"{photo.stem}-{options.output}{suffix}"
    try:
        result = segmenter.segment(photo.read_bytes(), options)
        target.write_bytes(result.body)
    except (SilhouetteError, OSError) as error:
        print(f"{photo}: {error}", file=sys.stderr)
        return 1
    stages = ", ".join(f"{stage} {ms:.1f} ms" for stage, ms in result.stages_ms.items())
    print(f"{photo} -> {target} ({stages})")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model", description="Segment photos without a server.")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--model", help="a .tflite file (default: MODEL_URI, or else the bundled model)")
    parser.add_argument("--output", choices=OUTPUT_NAMES, default="mask", help="what to write (default: mask)")
    parser.add_argument("--size", choices=SIZES, default="photo", help="size of the output (default: photo)")
    parser.add_argument(
        "--threshold", help="score from which a pixel belongs to the object, 0 to 1 (default: the model card's)"
    )
    parser.add_argument("--class", dest="class_name", metavar="NAME", help="only this class (default: all)")
    parser.add_argument("--out", type=Path, metavar="FILE|FOLDER", help="where to write (default: beside the photo)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
