"""Put a .tflite into Cloud Storage, once and for all: `python -m model.training.publish MODEL.tflite gs://BUCKET`.

The object is gs://BUCKET/models/NAME/VERSION/NAME.tflite, by the names in the model's card. A version is never
overwritten: a better model is a new version.
"""

from __future__ import annotations

import argparse
import base64
import re
from collections.abc import Sequence
from pathlib import Path

from model.tflite import card as cards
from model.training import cli
from model.training.cli import CommandError

PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
TIMEOUT_S = 60


def main(argv: Sequence[str] | None = None) -> None:
    """Upload, verify, and print the MODEL_URI to deploy with."""
    args = arguments().parse_args(argv)
    if not args.model.is_file():
        raise CommandError(f"there is no model at {args.model}")
    card = cards.read(args.model)
    if card is None:
        raise CommandError(f"{args.model.name} has no card inside; quantize and describe --write put one in")
    name, version = args.name or card.name, args.version or card.version
    for part in (name, version):
        if not PART.fullmatch(part):
            raise CommandError(f"{part!r} cannot be part of the object's name: letters, digits, dots, - and _ only")
    match = re.fullmatch(r"gs://([a-z0-9][a-z0-9._-]+)/?", args.bucket)
    if not match:
        raise CommandError(f"the bucket must be given as gs://BUCKET, not {args.bucket}")
    print(f"MODEL_URI={publish(args.model, match[1], f'models/{name}/{version}/{name}.tflite')}")


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.publish", description=__doc__.split(":")[0])
    parser.add_argument("model", type=Path, metavar="MODEL.tflite")
    parser.add_argument("bucket", metavar="gs://BUCKET")
    parser.add_argument("--name", help="instead of the card's")
    parser.add_argument("--version", help="instead of the card's")
    return parser


def publish(model: Path, bucket: str, name: str) -> str:
    """Upload a file as an object that must not exist yet, and hold what arrived against it.

    returns: gs://bucket/name#generation
    raises: CommandError
    """
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage

    uri = f"gs://{bucket}/{name}"
    try:
        blob = storage.Client().bucket(bucket).blob(name)
        blob.upload_from_filename(
            str(model), "application/octet-stream", if_generation_match=0, checksum="crc32c", timeout=TIMEOUT_S
        )
        blob.reload(timeout=TIMEOUT_S)
        if blob.crc32c != crc32c(model):
            blob.delete(if_generation_match=blob.generation, timeout=TIMEOUT_S)
            raise CommandError(f"{uri} differs from {model.name} (crc32c); it was deleted again")
    except exceptions.PreconditionFailed as error:
        raise CommandError(f"{uri} exists, and a version is never overwritten; give a new --version") from error
    except (exceptions.GoogleAPIError, GoogleAuthError, OSError) as error:  # requests' errors are OSErrors
        raise CommandError(f"{uri} cannot be written: {cli.one_line(str(error))}") from error
    return f"{uri}#{blob.generation}"


def crc32c(file: Path) -> str:
    """Give a file's checksum as Cloud Storage writes it: CRC-32C, big-endian, in base 64."""
    import google_crc32c

    return base64.b64encode(google_crc32c.Checksum(file.read_bytes()).digest()).decode()


if __name__ == "__main__":
    cli.run(main)
