"""What is in a bucket: google-cloud-storage enters here, where it is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from client.errors import AuthError, ClientError

PLACE = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]+)(?:/(?P<prefix>.*))?", re.DOTALL)
FIELDS = "items(name,generation,size,metadata),nextPageToken"


@dataclass(frozen=True, slots=True)
class Object:
    """Hold what is known of an object; size in bytes."""

    name: str
    generation: int
    size: int
    metadata: dict[str, str]


def split(place: str) -> tuple[str, str]:
    """Read gs://bucket/prefix.

    raises: ValueError
    """
    match = PLACE.fullmatch(place)
    if match is None:
        raise ValueError(f"{place!r} is not gs://bucket or gs://bucket/prefix")
    return match["bucket"], match["prefix"] or ""


def list_objects(bucket: str, prefix: str) -> Iterator[Object]:
    """Yield the objects whose names begin so, by name.

    raises: AuthError, ClientError
    """
    try:
        from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, Unauthorized
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage
    except ImportError as error:
        needs = "the photos of a bucket are listed with google-cloud-storage, which is not installed"
        raise ClientError(f"{needs} (pip install google-cloud-storage)") from error
    try:
        for blob in storage.Client(project="none").list_blobs(bucket, prefix=prefix or None, fields=FIELDS):
            yield Object(blob.name, int(blob.generation), int(blob.size or 0), blob.metadata or {})
    except NotFound as error:
        raise ClientError(f"there is no bucket gs://{bucket}") from error
    except (Forbidden, Unauthorized) as error:
        raise AuthError(f"you may not list gs://{bucket} (roles/storage.objectViewer lets you)") from error
    except GoogleAuthError as error:
        why = " ".join(str(error).split())[:200]
        raise AuthError(f"no credentials for Cloud Storage (gcloud auth application-default login): {why}") from error
    except (GoogleAPIError, OSError) as error:
        why = " ".join(str(error).split())[:200]
        raise ClientError(f"gs://{bucket} cannot be listed: {type(error).__name__}: {why}") from error
