"""Turn a Keras model into a .tflite with its card inside: `python -m model.training.quantize MODEL.h5`.

float16 halves the file and costs nothing measurable; int8 quarters it, and is fast where the runtime has
integer kernels. The integer recipes need photos like those it will see, to learn the ranges of its tensors.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.errors import PhotoError
from model.image import decode, preprocess
from model.tflite import card as cards
from model.tflite.card import ModelCard
from model.training import card_options, cli
from model.training.cli import CommandError
from model.training.data import samples
from model.training.measure.interpreter import Interpreter

if TYPE_CHECKING:
    from model.training.nets.keras_files import FloatModel

RECIPES = ("float32", "float16", "dynamic", "int8", "int8-full")
INTEGER = ("int8", "int8-full")
MAX_PIXELS = 200_000_000


def main(argv: Sequence[str] | None = None) -> None:
    """Convert by each recipe asked for, and put whole files in place."""
    args = arguments().parse_args(argv)
    recipes = RECIPES if args.recipe == "all" else (args.recipe,)
    if not args.photos and set(recipes) & set(INTEGER):
        raise CommandError(f"the recipe {args.recipe} needs --photos: a folder of photos like those the model will see")
    if len(recipes) > 1 and args.out and args.out.suffix == ".tflite":
        raise CommandError("--out must be a folder where --recipe is all")
    files = _spread(_not_held_out(samples.photo_files(args.photos)), args.samples) if args.photos else []
    from model.training.nets import keras_files

    with cli.silence_native_output():
        model = keras_files.load(args.model, args.size)
    card = card_options.card(args, args.model, model.classes)
    if card_options.wants_settling(args):
        with cli.silence_native_output():
            card = card_options.settle(card, model, model.input_wh)
        print(f"activation {card.activation}: by the range of the model's output")
    inputs = [to_input(file, model.input_wh, card) for file in cli.progress(files, "reading photos")]
    for recipe in recipes:
        target = target_of(args.model, args.out, recipe)
        with cli.atomic_path(target) as partial:
            partial.write_bytes(convert(model, recipe, inputs))
            cards.embed(partial, card)
            apart = difference(model, partial, inputs)
        digest = hashlib.sha256(target.read_bytes()).hexdigest()
        print(
            f"{target}: {recipe}, {target.stat().st_size:,} bytes, sha256 {digest[:12]}, {apart:.4f} from float at most"
        )


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.quantize", description=__doc__.split(":")[0])
    parser.add_argument("model", type=Path, metavar="MODEL", help=".h5, .hdf5, .keras, or a SavedModel folder")
    parser.add_argument("--recipe", choices=(*RECIPES, "all"), default="float16", help="default float16")
    parser.add_argument("--out", type=Path, metavar="FILE.tflite|FOLDER", help="beside the model otherwise")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="photos for the ranges of the integer recipes")
    parser.add_argument("--samples", type=int, default=100, help="how many of them, spread over all; default 100")
    parser.add_argument("--size", type=int, metavar="PX", help="side of the input, where the model leaves it open")
    card_options.add_arguments(parser)
    return parser


def target_of(model: Path, out: Path | None, recipe: str) -> Path:
    """Name the file that a recipe makes: --out itself, or MODEL-RECIPE.tflite in it, or beside the model."""
    if out and out.suffix == ".tflite":
        return out
    return (out or model.parent) / f"{model.stem}-{recipe}.tflite"


def to_input(file: Path, size_wh: tuple[int, int], card: ModelCard) -> NDArray[np.float32]:
    """Bring a photo to the model's input through the very rooms that serve.

    returns: float32 (1, h, w, 3)
    raises: CommandError naming the photo when it cannot be read
    """
    try:
        shot = decode.decode(file.read_bytes(), size_wh, MAX_PIXELS)
    except PhotoError as error:
        raise CommandError(f"{file}: {error}") from error
    return preprocess.to_input(shot.pixels, size_wh, card)


def convert(model: FloatModel, recipe: str, inputs: list[NDArray[np.float32]]) -> bytes:
    """Convert a model by one of RECIPES.

    inputs: what the integer recipes learn the ranges from
    raises: CommandError when TensorFlow's converter refuses
    """
    import tensorflow as tf

    def configured() -> Any:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([model.function])  # weights become constants
        if recipe != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if recipe == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if recipe in INTEGER:
            converter.representative_dataset = lambda: ([tensor] for tensor in inputs)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if recipe == "int8-full":
            converter.inference_input_type = converter.inference_output_type = tf.int8
        return converter

    try:
        with cli.silence_native_output():
            return bytes(configured().convert())
    except Exception as error:  # ConverterError, and whatever else comes out of it
        raise CommandError(f"the converter refuses the model for the recipe {recipe}: {_reason(error)}") from error


def difference(model: FloatModel, converted: Path, inputs: list[NDArray[np.float32]]) -> float:
    """Run the file once, and give the largest distance of its output from the float model's.

    raises: CommandError when its output is no number
    """
    probe = inputs[0] if inputs else np.zeros((1, *model.input_wh[::-1], 3), np.float32)
    with cli.silence_native_output():
        apart = float(np.abs(Interpreter(converted)(probe) - model(probe)).max())
    if not np.isfinite(apart):
        raise CommandError("the converted model's output is no number")
    return apart


def _not_held_out(files: list[Path]) -> list[Path]:
    """Leave out what evaluate judges by, where anything else is there."""
    return [file for file in files if not samples.held_out(file.stem)] or files


def _spread(files: list[Path], count: int) -> list[Path]:
    return files[:: max(1, len(files) // count)][:count]


def _reason(error: Any) -> str:
    """Find the line that says why in the converter's many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "not supported" in line or "Op" in line]
    return cli.one_line((telling or lines or [type(error).__name__])[0])


if __name__ == "__main__":
    cli.run(main)
