"""The objects of a Cloud Storage bucket; the only module that imports google-cloud-storage, an optional dependency."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import AuthError, ClientError

GS_URI = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]+)(?:/(?P<prefix>.*))?", re.DOTALL)
FIELDS = "items(name,generation,size,metadata),nextPageToken"


@dataclass(frozen=True, slots=True)
class BucketObject:
    """An object in a bucket.

    Attributes:
        name: Name within the bucket.
        generation: Generation number, which identifies the version of the object.
        size: Size in bytes.
        metadata: Custom metadata.
    """

    name: str
    generation: int
    size: int
    metadata: dict[str, str]


def parse_gs_uri(uri: str) -> tuple[str, str]:
    """Return the bucket and the prefix of gs://BUCKET/PREFIX.

    Raises:
        ValueError: If the URI has another form.
    """
    match = GS_URI.fullmatch(uri)
    if match is None:
        raise ValueError(f"{uri!r} is not gs://BUCKET or gs://BUCKET/PREFIX")
    return match["bucket"], match["prefix"] or ""


def list_objects(bucket: str, prefix: str) -> Iterator[BucketObject]:
    """Yield the objects whose names start with a prefix, in order of their names.

    Args:
        bucket: Name of the bucket.
        prefix: Start of the names; empty for all objects.

    Yields:
        The objects.

    Raises:
        AuthError: If there are no credentials, or they may not list the bucket.
        ClientError: If google-cloud-storage is not installed, the bucket does not exist, or the listing fails.
    """
    try:
        from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, Unauthorized
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage
    except ImportError as error:
        raise ClientError(
            "listing a bucket needs google-cloud-storage, which is not installed (pip install google-cloud-storage)"
        ) from error
    try:
        # Listing needs no project, but the library insists on one.
        for blob in storage.Client(project="none").list_blobs(bucket, prefix=prefix or None, fields=FIELDS):
            yield BucketObject(blob.name, int(blob.generation), int(blob.size or 0), blob.metadata or {})
    except NotFound as error:
        raise ClientError(f"the bucket gs://{bucket} does not exist") from error
    except (Forbidden, Unauthorized) as error:
        raise AuthError(f"no permission to list gs://{bucket}; grant roles/storage.objectViewer on it") from error
    except GoogleAuthError as error:
        reason = " ".join(str(error).split())[:200]
        raise AuthError(
            f"no credentials for Cloud Storage; run gcloud auth application-default login ({reason})"
        ) from error
    except (GoogleAPIError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ClientError(f"cannot list gs://{bucket}: {type(error).__name__}: {reason}") from error
