"""Upload a .tflite to Cloud Storage: `python -m model.training.publish MODEL.tflite gs://BUCKET`.

The object is gs://BUCKET/models/NAME/VERSION/NAME.tflite, with the name and the version in the model's card. An
existing object is never overwritten: a changed model needs a new version.
"""

from __future__ import annotations

import argparse
import base64
import re
from collections.abc import Sequence
from pathlib import Path

from model.tflite import card as cards
from model.tflite import trial
from model.training import cli
from model.training.cli import CommandError

NAME_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
TIMEOUT_S = 60


def main(argv: Sequence[str] | None = None) -> None:
    """Upload and verify the model, and print the MODEL_URI to deploy."""
    args = arguments().parse_args(argv)
    if not args.model.is_file():
        raise CommandError(f"there is no model at {args.model}")
    trial.check(args.model)
    card = cards.read(args.model)
    if card is None:
        raise CommandError(f"{args.model.name} has no card; embed one with `describe --write`, or with quantize")
    name, version = args.name or card.name, args.version or card.version
    for part in (name, version):
        if not NAME_PART.fullmatch(part):
            raise CommandError(f"{part!r} cannot be part of an object name; use letters, digits, '.', '-' and '_'")
    match = re.fullmatch(r"gs://([a-z0-9][a-z0-9._-]+)/?", args.bucket)
    if not match:
        raise CommandError(f"the bucket must have the form gs://BUCKET, not {args.bucket}")
    print(f"MODEL_URI={publish(args.model, match[1], f'models/{name}/{version}/{name}.tflite')}")


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.publish", description=__doc__.split(":")[0])
    parser.add_argument("model", type=Path, metavar="MODEL.tflite")
    parser.add_argument("bucket", metavar="gs://BUCKET")
    parser.add_argument("--name", help="default: the name in the card")
    parser.add_argument("--version", help="default: the version in the card")
    return parser


def publish(file: Path, bucket: str, name: str) -> str:
    """Upload a file as a new object, and verify its checksum.

    Args:
        file: The file.
        bucket: Name of the bucket.
        name: Name of the object, which must not exist.

    Returns:
        gs://bucket/name#generation.

    Raises:
        CommandError: If the object exists, cannot be written, or differs from the file; then it is deleted.
    """
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage

    uri = f"gs://{bucket}/{name}"
    try:
        blob = storage.Client().bucket(bucket).blob(name)
        blob.upload_from_filename(
            str(file), "application/octet-stream", if_generation_match=0, checksum="crc32c", timeout=TIMEOUT_S
        )
        blob.reload(timeout=TIMEOUT_S)
        if blob.crc32c != crc32c(file):
            blob.delete(if_generation_match=blob.generation, timeout=TIMEOUT_S)
            raise CommandError(f"{uri} differs from {file.name} (CRC-32C) and was deleted; upload it again")
    except exceptions.PreconditionFailed as error:
        raise CommandError(f"{uri} exists and is never overwritten; set a new --version") from error
    except (exceptions.GoogleAPIError, GoogleAuthError, OSError) as error:  # the errors of requests are OSErrors
        raise CommandError(f"{uri} cannot be written: {cli.one_line(str(error))}") from error
    return f"{uri}#{blob.generation}"


def crc32c(file: Path) -> str:
    """Return a file's checksum as Cloud Storage writes it: CRC-32C, big-endian, in base64."""
    import google_crc32c

    return base64.b64encode(google_crc32c.Checksum(file.read_bytes()).digest()).decode()


if __name__ == "__main__":
    cli.run(main)
