"""Settings of an instance. This is the only module that reads environment variables."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from model.tflite.bundled import BUNDLED_MODEL

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Settings:
    """All settings; each is read from the environment variable of its name in capitals.

    Attributes:
        model_uri: Path of a .tflite file, or gs://bucket/object, optionally with #generation.
        interpreters: Number of interpreters, and so of photos segmented at the same time.
        wait_limit_s: Longest time that a request waits for an interpreter before it gets 503.
        request_timeout_s: Longest time for a request's body to arrive.
        max_upload_bytes: Largest body of a request.
        max_pixels: Largest photo, as width times height in its header.
        model_sha256: Checksum that the model must have, in hex; empty for any.
        model_fetch_timeout_s: Longest time for the download of the model from Cloud Storage.
        allowed_origins: Origins whose pages may read responses (CORS); "*" for any.
        google_cloud_project: Id of the project, which links log lines to traces.
        k_service: Name of the service, set by Cloud Run.
        k_revision: Name of the revision, set by Cloud Run.
        photo_buckets: Buckets whose events are handled; empty if masks are made on request only.
        mask_bucket: Bucket for the masks of those photos.
        max_response_bytes: Largest body of a response.
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
    max_response_bytes: int = 32 * 2**20  # https://cloud.google.com/run/quotas

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings from environment variables.

        Args:
            env: The variables.

        Raises:
            ValueError: If a variable has an invalid value; the message names the variable.
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
            max_response_bytes=_positive(env, "MAX_RESPONSE_BYTES", cls.max_response_bytes, int),
        )


def _positive(env: Mapping[str, str], name: str, default: Number, convert: Callable[[str], Number]) -> Number:
    text = env.get(name)
    if not text:
        return default
    try:
        value = convert(text)
    except ValueError:
        value = convert("0")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a number above 0, not {text!r}")
    return value


def _sha256(env: Mapping[str, str], name: str) -> str:
    text = env.get(name, "").strip().lower()
    if text and not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError(f"{name} must be 64 hexadecimal digits, not {text!r}")
    return text


def _list(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Split a list at commas and spaces."""
    return tuple(re.findall(r"[^,\s]+", env.get(name, "")))


def _origins(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    origins = _list(env, name)
    for origin in origins:
        if not re.fullmatch(r"\*|https?://[^/?#@*]+", origin):
            raise ValueError(f"{name} must be * or origins such as https://example.com, not {origin!r}")
    return origins


def _buckets(env: Mapping[str, str], photos_name: str, mask_name: str) -> tuple[tuple[str, ...], str]:
    """Read the photo buckets and the mask bucket, which must differ: each mask would cause an event otherwise."""
    photo_buckets, mask_bucket = _list(env, photos_name), env.get(mask_name, "").strip()
    if bool(photo_buckets) != bool(mask_bucket):
        missing = mask_name if photo_buckets else photos_name
        raise ValueError(f"{photos_name} and {mask_name} must be set together; {missing} is not set")
    for bucket in (*photo_buckets, mask_bucket):
        if bucket and not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", bucket):
            raise ValueError(f"{photos_name} and {mask_name} must be bucket names without gs://, not {bucket!r}")
    if mask_bucket in photo_buckets:
        raise ValueError(f"{mask_name} must not be one of {photos_name}: each mask would be treated as a photo")
    return tuple(dict.fromkeys(photo_buckets)), mask_bucket


def _cpus() -> int:
    """Return the number of CPUs that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
