"""The types of the command line's arguments, which check their values."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..errors import ClientError
from ..url import parse_url
from .background import Background, parse_background
from .bucket_listing import parse_gs_uri
from .image_files import has_image_extension

MOST_JOBS = 1000


def url(text: str) -> str:
    """Return the URL of a function unchanged."""
    try:
        parse_url(text)
    except ValueError as error:
        origin = " (from SILHOUETTE_URL)" if text == os.environ.get("SILHOUETTE_URL") else ""
        raise argparse.ArgumentTypeError(f"{error}{origin}") from error
    return text


def mask_bucket(text: str) -> str:
    """Return the URI of a bucket, without a slash at its end."""
    try:
        bucket, prefix = parse_gs_uri(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if prefix:
        raise argparse.ArgumentTypeError(f"{text!r} has a prefix; use gs://{bucket}, the function chooses the names")
    return f"gs://{bucket}"


def image_path(text: str) -> Path:
    """Return the path of an image file to write."""
    if not has_image_extension(Path(text)):
        raise argparse.ArgumentTypeError(f"{text!r} has no image file extension, such as .png")
    return Path(text)


def log_path(text: str) -> Path:
    """Return the path of a log file, to which lines are appended."""
    if has_image_extension(Path(text)):
        raise argparse.ArgumentTypeError(f"{text!r} has the extension of an image; use one such as .jsonl")
    return Path(text)


def background(text: str) -> Background:
    """Return the background that a colour or an image file describes."""
    try:
        return parse_background(text)
    except (ValueError, ClientError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a colour nor an image file: {error}") from error


def jobs(text: str) -> int:
    """Return a number of concurrent requests."""
    if not text.isdigit() or not 1 <= int(text) <= MOST_JOBS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_JOBS}")
    return int(text)


def deadline(text: str) -> float:
    """Return a number of seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return seconds


def agreement(text: str) -> float:
    """Return an agreement of masks, 0 to 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return share
