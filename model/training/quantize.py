"""Convert a Keras model to a .tflite with its card inside: `python -m model.training.quantize MODEL.h5`.

float16 halves the file without a measurable loss; int8 quarters it, and is fast in runtimes with integer kernels. The
integer recipes need photos like those the model will process, to calibrate the ranges of its activations.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model.image import preprocess
from model.tflite import card as cards
from model.tflite import infer_card, loading, trial, verify
from model.training import card_draft, card_options, cli, input_meaning, model_options, output_meaning
from model.training.card_draft import CardDraft
from model.training.cli import CommandError
from model.training.data import samples, split
from model.training.measure import change, check
from model.training.measure.interpreter import Interpreter
from model.training.measure.model_input import read_input
from model.training.nets.converter import INTEGER_RECIPES, RECIPES, convert

if TYPE_CHECKING:
    from model.training.nets.float_model import FloatModel

LITERT_RECIPES = ("dynamic", *INTEGER_RECIPES)  # tflite-runtime runs them several times slower than float16
CHANGE_WARNING = 0.02  # share of pixels of another class from which on a warning is printed


def main(argv: Sequence[str] | None = None) -> None:
    """Convert the model by each recipe and write the files."""
    args = arguments().parse_args(argv)
    recipes = RECIPES if args.recipe == "all" else (args.recipe,)
    if not args.photos and set(recipes) & set(INTEGER_RECIPES):
        raise CommandError(f"the recipe {args.recipe} needs --photos, a folder of photos like those to be segmented")
    if len(recipes) > 1 and args.out and args.out.suffix == ".tflite":
        raise CommandError("--out must be a folder if --recipe is all")
    files = calibration_files(args.photos, args.samples) if args.photos else []
    from model.training.nets import keras_files

    with cli.silence_native_output():
        model = keras_files.load(args.model, args.size, model_options.load_options(args))
    check_size(model, args)
    draft = input_meaning.complete(card_draft.start(args, args.model), model)
    inputs = [read_input(file, model.input, draft.card) for file in cli.progress(files, "reading photos")]
    written = [write(model, recipe, inputs, draft, args) for recipe in recipes]
    completed = written[0][0]
    for line in (*model.notes, *completed.notes, card_draft.words(completed, model.input_wh, model.input.channels)):
        print(line)
    for recipe, (_, line) in zip(recipes, written, strict=True):
        print(line)
        runtimes = "LiteRT only (Python 3.12 and later)" if recipe in LITERT_RECIPES else "both runtimes"
        print(f"  fast in {runtimes}: {deploy_command(target_of(args.model, args.out, recipe), recipe)}")
    if args.check:
        for recipe, (draft, _) in zip(recipes, written, strict=True):
            print(check.check(model, model.input, target_of(args.model, args.out, recipe), args.check, draft.card))


def check_size(model: FloatModel, args: argparse.Namespace) -> None:
    """Raise CommandError if --size contradicts a model of a fixed input size."""
    if args.size not in (None, model.input_wh):
        width, height = model.input_wh
        raise CommandError(f"the input of {args.model.name} has the fixed size {width}x{height}; leave --size out")


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.quantize", description=__doc__.split(":")[0])
    parser.add_argument("model", type=Path, metavar="MODEL", help=".h5, .hdf5, .keras, or a SavedModel folder")
    parser.add_argument("--recipe", choices=(*RECIPES, "all"), default="float16", help="default float16")
    parser.add_argument("--out", type=Path, metavar="FILE.tflite|FOLDER", help="default: the folder of the model")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="photos to calibrate the integer recipes")
    parser.add_argument("--samples", type=int, default=100, help="number of photos to use, default 100")
    parser.add_argument(
        "--size",
        type=card_options.size,
        metavar="WxH",
        help="of the input, for models of any size; one number for both",
    )
    parser.add_argument(
        "--max-change", type=float, metavar="SHARE", help="fail if the class of more than this share of pixels changes"
    )
    parser.add_argument(
        "--check", type=Path, metavar="PHOTO", help="draw the masks of a photo by the float model and by the .tflite"
    )
    model_options.add_arguments(parser)
    card_options.add_arguments(parser)
    return parser


def calibration_files(folder: Path, count: int) -> list[Path]:
    """Return about `count` photos spread over a folder, without those that evaluate uses if there are others."""
    files = samples.photo_files(folder)
    files = [file for file in files if not split.is_held_out(file.stem)] or files
    return files[:: max(1, len(files) // count)][:count]


def target_of(model: Path, out: Path | None, recipe: str) -> Path:
    """Return the file to write: --out itself, or MODEL-RECIPE.tflite in that folder or beside the model."""
    if out and out.suffix == ".tflite":
        return out
    return (out or model.parent) / f"{model.stem}-{recipe}.tflite"


def deploy_command(target: Path, recipe: str) -> str:
    """Return the command that deploys a file, with a Python version whose runtime is fast with its recipe."""
    python = " --python 313" if recipe in LITERT_RECIPES else ""
    return f"./deploy.sh --project PROJECT --model {shlex.quote(str(target))}{python}"


def write(
    model: FloatModel, recipe: str, inputs: list[NDArray[np.float32]], draft: CardDraft, args: argparse.Namespace
) -> tuple[CardDraft, str]:
    """Convert a model, embed its card, compare its masks with the float model's, and write the file.

    Args:
        model: The float model.
        recipe: One of RECIPES.
        inputs: Calibration inputs, float32 of the input's shape each.
        draft: What is known of its card.
        args: The command line.

    Returns:
        The complete card, and lines that describe the file.

    Raises:
        CommandError: If the conversion fails, the card contradicts the model, or the masks change too much.
        ModelRejected: If the function rejects the file.
    """
    target = target_of(args.model, args.out, recipe)
    with cli.atomic_path(target) as partial:
        partial.write_bytes(convert(model, recipe, inputs))
        draft = output_meaning.complete(draft, model, verify.read_model(partial), inputs)
        # The scale of an integer input is that of the calibration, whose normalization is therefore a fact.
        calibrated = {"mean", "std"} if recipe == "int8-full" else set()
        cards.embed(partial, draft.card, {*draft.names, *calibrated})
        line = compare(model, partial, inputs or comparison_inputs(model, draft), draft, args.max_change)
    size, digest = target.stat().st_size, hashlib.sha256(target.read_bytes()).hexdigest()
    images = f"{len(inputs)} photos" if inputs else "test images; --photos compares on real ones"
    return draft, f"{target}: {recipe}, {size:,} bytes, sha256 {digest[:12]}, {line}, on {images}"


def comparison_inputs(model: FloatModel, draft: CardDraft) -> list[NDArray[np.float32]]:
    """Return inputs for a comparison without photos."""
    images = infer_card.probe_images(model.input_wh)
    return [preprocess.to_input(image, model.input_wh, draft.card, model.input) for image in images]


def compare(
    model: FloatModel,
    converted: Path,
    inputs: list[NDArray[np.float32]],
    draft: CardDraft,
    max_change: float | None,
) -> str:
    """Compare a .tflite with the float model that it was made of.

    Args:
        model: The float model.
        converted: The .tflite, with its card.
        inputs: Inputs to compare them on.
        draft: The card.
        max_change: The largest allowed share of pixels whose class changes; None for any.

    Returns:
        The result in words.

    Raises:
        CommandError: If the class of more pixels changes, or the output is not finite.
        ModelRejected: If the function rejects the file.
    """
    trial.check(converted)
    with cli.silence_native_output():
        loading.load(converted, 1)
        interpreter = Interpreter(converted)
        error = max(float(np.abs(interpreter(x) - np.asarray(model(x), np.float32)).max()) for x in inputs)
        if not np.isfinite(error):
            raise CommandError("the converted model's output is not finite")
        share = change.changed_share(model, interpreter, inputs, draft.card, model.input_wh)
    if max_change is not None and share > max_change:
        raise CommandError(
            f"the class of {share:.2%} of the pixels changes, and --max-change allows {max_change:.2%}; try the recipe"
            " float16, or calibrate with more --photos like those to be segmented"
        )
    warning = f"; WARNING: more than {CHANGE_WARNING:.0%}" if share > CHANGE_WARNING else ""
    return f"the class of {share:.2%} of the pixels changes{warning}, maximum error {error:.4f} against float"


if __name__ == "__main__":
    cli.run(main)
