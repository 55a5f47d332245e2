"""Convert a Keras model to a .tflite with its card inside: `python -m model.training.quantize MODEL.h5`.

float16 halves the file without a measurable loss; int8 quarters it, and is fast in runtimes with integer kernels. The
integer recipes need photos like those the model will process, to calibrate the ranges of its activations.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.tflite import card as cards
from model.tflite import trial
from model.tflite.card import ModelCard
from model.training import card_options, cli, model_options
from model.training.cli import CommandError
from model.training.data import samples, split
from model.training.measure.interpreter import Interpreter
from model.training.measure.model_input import read_input

if TYPE_CHECKING:
    from model.training.nets.float_model import FloatModel

RECIPES = ("float32", "float16", "dynamic", "int8", "int8-full")
INTEGER_RECIPES = ("int8", "int8-full")
# Patterns in the converter's messages, and the next step.
CONVERTER_STEPS = (
    ("ResizeBicubic", "; set interpolation='bilinear' in the layer that resizes, and save the model again"),
    (
        r"f16>|f64>|'half'|'double'",
        "; the converter supports float32 only: quantize the .keras or .h5 file, which is converted to float32, or save"
        " the SavedModel in float32",
    ),
    ("flex op|custom op|Select TF", "; TFLite lacks this operator: replace its layer, and save the model again"),
)


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
        card = card_options.complete_card(args, args.model, model)
    for note in model.notes:
        print(note)
    if card_options.must_infer_activation(args):
        print(f"activation {card.activation}, inferred from the range of the model's output")
    inputs = [read_input(file, model.input, card) for file in cli.progress(files, "reading photos")]
    for recipe in recipes:
        print(write(model, recipe, inputs, card, target_of(args.model, args.out, recipe)))


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.quantize", description=__doc__.split(":")[0])
    parser.add_argument("model", type=Path, metavar="MODEL", help=".h5, .hdf5, .keras, or a SavedModel folder")
    parser.add_argument("--recipe", choices=(*RECIPES, "all"), default="float16", help="default float16")
    parser.add_argument("--out", type=Path, metavar="FILE.tflite|FOLDER", help="default: the folder of the model")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="photos to calibrate the integer recipes")
    parser.add_argument("--samples", type=int, default=100, help="number of photos to use, default 100")
    parser.add_argument("--size", type=int, metavar="PX", help="side of the input, for models of any input size")
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


def write(model: FloatModel, recipe: str, inputs: list[NDArray[np.float32]], card: ModelCard, target: Path) -> str:
    """Convert a model, embed its card, compare its output with the float model's, and write the file.

    Args:
        model: The float model.
        recipe: One of RECIPES.
        inputs: Calibration inputs, float32 of the input's shape each.
        card: The card to embed.
        target: The .tflite to write.

    Returns:
        A line that describes the file.

    Raises:
        CommandError: If the conversion fails, or the converted model's output is not finite.
    """
    with cli.atomic_path(target) as partial:
        partial.write_bytes(convert(model, recipe, inputs))
        cards.embed(partial, card)
        error = max_error(model, partial, inputs)
    size, digest = target.stat().st_size, hashlib.sha256(target.read_bytes()).hexdigest()
    return f"{target}: {recipe}, {size:,} bytes, sha256 {digest[:12]}, maximum error {error:.4f} against float"


def convert(model: FloatModel, recipe: str, inputs: list[NDArray[np.float32]]) -> bytes:
    """Convert a model to a .tflite.

    Args:
        model: The float model.
        recipe: One of RECIPES.
        inputs: Calibration inputs for the integer recipes, float32 of the input's shape each.

    Returns:
        The .tflite, without a card.

    Raises:
        CommandError: If TensorFlow's converter fails.
    """
    import tensorflow as tf

    def converter() -> Any:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([model.function])  # makes the weights constants
        if recipe != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if recipe == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if recipe in INTEGER_RECIPES:
            converter.representative_dataset = lambda: ([tensor] for tensor in inputs)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if recipe == "int8-full":
            converter.inference_input_type = converter.inference_output_type = tf.int8
        return converter

    try:
        with cli.silence_native_output():
            return bytes(converter().convert())
    except Exception as error:  # ConverterError, and whatever else the converter raises
        raise CommandError(f"the recipe {recipe} cannot convert the model: {_reason(error)}") from error


def max_error(model: FloatModel, converted: Path, inputs: list[NDArray[np.float32]]) -> float:
    """Return the largest absolute difference between a .tflite's output and the float model's on one input.

    Args:
        model: The float model.
        converted: The .tflite made of it.
        inputs: Inputs of which the first is used; zeros if there is none.

    Returns:
        The difference.

    Raises:
        CommandError: If it is not finite.
        ModelRejected: If the runtime cannot run the .tflite, or crashes.
    """
    tensor = inputs[0] if inputs else np.zeros(model.input.shape, np.float32)
    trial.check(converted)
    with cli.silence_native_output():
        error = float(np.abs(Interpreter(converted)(tensor) - model(tensor)).max())
    if not np.isfinite(error):
        raise CommandError("the converted model's output is not finite")
    return error


def _reason(error: Exception) -> str:
    """Return the line of a converter's message that names the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "error:" in line or "not supported" in line or "Op" in line]
    reason = cli.one_line((causes or lines or [type(error).__name__])[0], 300)
    step = next((step for pattern, step in CONVERTER_STEPS if re.search(pattern, str(error))), "")
    return f"{reason}{step}"


if __name__ == "__main__":
    cli.run(main)
