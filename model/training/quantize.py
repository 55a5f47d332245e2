"""Turn a Keras model into a float16 .tflite with its card inside: `python -m model.training.quantize --help`."""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import tensorflow as tf

from model import card as cards
from model.card import ModelCard
from model.training import train


def main() -> None:
    """Convert, put the card in, and move the whole file into place."""
    parser = argparse.ArgumentParser(prog="python -m model.training.quantize", description=__doc__.split(":")[0])
    parser.add_argument("model", type=Path, metavar="MODEL.h5")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.tflite")
    parser.add_argument("--name", default="pets")
    parser.add_argument("--version", default="1")
    args = parser.parse_args()
    card = ModelCard(
        name=args.name,
        version=args.version,
        labels=("background", "pet"),
        palette=((0, 0, 0), (255, 64, 96)),
        mean=(train.MEAN,) * 3,
        std=(train.STD,) * 3,
        description="Cats and dogs against everything else",
        licence="Apache-2.0; trained on photos of the Oxford-IIIT Pet dataset (CC BY-SA 4.0)",
    )
    partial = args.out.with_suffix(".partial")
    partial.write_bytes(float16(keras.models.load_model(args.model, compile=False)))
    cards.embed(partial, card)
    partial.replace(args.out)
    print(f"{args.out}: {args.out.stat().st_size:,} bytes")


def float16(model: keras.Model) -> bytes:
    """Convert a model whose weights are kept as float16 and computed with as float32."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


if __name__ == "__main__":
    main()
