"""The only reader of the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

N = TypeVar("N", int, float)
BUNDLED_MODEL = Path(__file__).parents[1] / "weights" / "pets.tflite"


@dataclass(frozen=True)
class Settings:
    """What can be set from outside; README.md has the same table.

    model_uri: path of a .tflite, or gs://bucket/object, with #generation to say which version
    interpreters: photos worked on at once
    wait_limit_s: how long a request waits for an interpreter before it is told to come back
    request_timeout_s: how long a request's body may take to arrive
    max_upload_bytes: size of a request's body
    max_pixels: width times height of a photo, as its header claims it
    model_sha256: checksum that the model must have, in hex; empty for any
    model_fetch_timeout_s: how long the model may take to come from Cloud Storage
    allowed_origins: whose pages a browser lets read the answers; "*" for any
    google_cloud_project: id of the project, which lets the log lines of a request stand with its trace
    k_service, k_revision: names that Cloud Run gives the service and its revision
    photo_buckets: whose events are taken; none where masks are made by request alone
    mask_bucket: where the masks of those photos go
    """

    model_uri: str = str(BUNDLED_MODEL)
    interpreters: int = 1
    wait_limit_s: float = 30.0
    request_timeout_s: float = 60.0
    max_upload_bytes: int = 32 * 2**20
    max_pixels: int = 100_000_000
    model_sha256: str = ""
    model_fetch_timeout_s: float = 60.0
    allowed_origins: tuple[str, ...] = ()
    google_cloud_project: str = ""
    k_service: str = "silhouette"
    k_revision: str = ""
    photo_buckets: tuple[str, ...] = ()
    mask_bucket: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings, each from the variable of its name in capitals.

        raises: ValueError naming the variable when one has no sense
        """
        photo_buckets, mask_bucket = _buckets(env, "PHOTO_BUCKETS", "MASK_BUCKET")
        return cls(
            model_uri=env.get("MODEL_URI") or cls.model_uri,
            interpreters=_positive(env, "INTERPRETERS", _cpus(), int),
            wait_limit_s=_positive(env, "WAIT_LIMIT_S", cls.wait_limit_s, float),
            request_timeout_s=_positive(env, "REQUEST_TIMEOUT_S", cls.request_timeout_s, float),
            max_upload_bytes=_positive(env, "MAX_UPLOAD_BYTES", cls.max_upload_bytes, int),
            max_pixels=_positive(env, "MAX_PIXELS", cls.max_pixels, int),
            model_sha256=_sha256(env, "MODEL_SHA256"),
            model_fetch_timeout_s=_positive(env, "MODEL_FETCH_TIMEOUT_S", cls.model_fetch_timeout_s, float),
            allowed_origins=_origins(env, "ALLOWED_ORIGINS"),
            google_cloud_project=env.get("GOOGLE_CLOUD_PROJECT", cls.google_cloud_project),
            k_service=env.get("K_SERVICE", cls.k_service),
            k_revision=env.get("K_REVISION", cls.k_revision),
            photo_buckets=photo_buckets,
            mask_bucket=mask_bucket,
        )


def _positive(env: Mapping[str, str], name: str, default: N, cast: Callable[[str], N]) -> N:
    text = env.get(name)
    if not text:
        return default
    try:
        value = cast(text)
    except ValueError:
        value = cast("0")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a number above 0, not {text!r}")
    return value


def _sha256(env: Mapping[str, str], name: str) -> str:
    text = env.get(name, "").strip().lower()
    if text and (len(text) != 64 or set(text) - set("0123456789abcdef")):
        raise ValueError(f"{name} must be 64 hexadecimal digits, not {text!r}")
    return text


def _origins(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    origins = tuple(re.findall(r"[^,\s]+", env.get(name, "")))
    for origin in origins:
        if not re.fullmatch(r"\*|https?://[^/?#@*]+", origin):
            raise ValueError(f"{name} must be * or origins such as https://example.com, not {origin!r}")
    return origins


def _buckets(env: Mapping[str, str], name: str, mask_name: str) -> tuple[tuple[str, ...], str]:
    """Read the buckets of photos and the one of masks; a mask in a bucket of photos would be an event of its own."""
    photos, mask = tuple(re.findall(r"[^,\s]+", env.get(name, ""))), env.get(mask_name, "").strip()
    if bool(photos) != bool(mask):
        raise ValueError(f"{name} and {mask_name} go together; {mask_name if photos else name} is not set")
    for bucket in (*photos, mask):
        if bucket and not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", bucket):
            raise ValueError(f"{name} and {mask_name} must be names of buckets, without gs://, not {bucket!r}")
    if mask in photos:
        raise ValueError(f"{mask_name} must be none of {name}, or every mask would be taken for a photo")
    return tuple(dict.fromkeys(photos)), mask


def _cpus() -> int:
    """Count the CPUs that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
