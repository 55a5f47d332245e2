"""The mask or note of a photo in Cloud Storage, kept right by conditional writes, without locks.

A photo has either a mask or, if it cannot be segmented, a note; these are two objects, called artifacts here. Their
metadata names the photo's generation and the model. Three rules keep them right when instances are killed, and events
are delivered twice or out of order:

1. An artifact never replaces one of the same or a newer photo version. Each write names the generation that it saw
   (if_generation_match), so it fails with 412 if another instance wrote in between; then everything starts again.
2. After a write, the instance reads the other artifact and deletes the older of the two, if it has not changed. Of two
   instances that write at the same time, at least one sees both.
3. An instance that finds nothing to write also deletes the older artifact, because the event of an instance that was
   killed is delivered again.

The newest artifact is never deleted, so an older photo can never take its place.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from model.errors import EmptyBody, PhotoTooLarge
from model.gcs import client, events
from model.gcs.events import ArtifactType, BucketConfig, Event

MEDIA_TYPES: dict[ArtifactType, str] = {"mask": "image/png", "note": "application/json"}


class ForeignObject(Exception):
    """The object at a mask's name was not made from this photo."""


@dataclass(frozen=True)
class ModelId:
    """Which model made an artifact.

    Attributes:
        model: Its name.
        version: Its version.
        sha256: Checksum of its file, in hex.
    """

    model: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Artifact:
    """A mask or note that is to be written.

    Attributes:
        type: Which of the two it is.
        body: Its content.
        code: For a note, the code of the error; empty for a mask.
    """

    type: ArtifactType
    body: bytes
    code: str = ""


@dataclass(frozen=True)
class StoredArtifact:
    """A mask or note as it is stored.

    Attributes:
        type: Which of the two it is.
        source_generation: Generation of the photo that it was made from.
        generation: Its own generation.
        model: The model that made it.
    """

    type: ArtifactType
    source_generation: int
    generation: int
    model: ModelId

    @property
    def age_key(self) -> tuple[int, int]:
        """Sort key, oldest first: by version of the photo, then by time of writing."""
        return self.source_generation, self.generation


class MaskSlot:
    """The two names under which one photo's mask and note are stored."""

    def __init__(self, event: Event, model: ModelId, buckets: BucketConfig) -> None:
        """Derive the names.

        Args:
            event: The event of the photo.
            model: The model that this instance serves.
            buckets: The buckets of photos and masks.
        """
        self._event, self._model, self._buckets = event, model, buckets

    def read_existing(self, *types: ArtifactType) -> list[StoredArtifact]:
        """Return the artifacts that are stored.

        Args:
            types: Which artifacts to look for; none given means both.

        Raises:
            ForeignObject: If an object there was not made from this photo.
            StorageError: If Cloud Storage fails.
        """
        return [stored for artifact in types or MEDIA_TYPES if (stored := self._read(artifact))]

    def is_up_to_date(self, existing: list[StoredArtifact]) -> bool:
        """Return whether there is nothing to write.

        Args:
            existing: The artifacts that are stored.

        Returns:
            Whether the newest of them is from a newer version of the photo, or from this version and model.
        """
        if not existing:
            return False
        newest = max(existing, key=lambda stored: stored.age_key)
        if newest.source_generation == self._event.generation:
            return newest.model == self._model
        return newest.source_generation > self._event.generation

    def write(self, artifact: Artifact, existing: list[StoredArtifact]) -> StoredArtifact | None:
        """Write an artifact, unless another instance has written since `read_existing`.

        Args:
            artifact: The mask or note.
            existing: What `read_existing` returned.

        Returns:
            The artifact as stored; None if another instance has written.

        Raises:
            StorageError: If Cloud Storage fails.
        """
        from google.api_core.exceptions import PreconditionFailed

        blob = self._blob(artifact.type)
        blob.metadata = asdict(self._model) | {
            "source-bucket": self._event.bucket,
            "source-generation": str(self._event.generation),
        }
        expected_generation = next((stored.generation for stored in existing if stored.type == artifact.type), 0)

        def upload(deadline: float) -> None:
            blob.upload_from_string(
                artifact.body,
                content_type=MEDIA_TYPES[artifact.type],
                if_generation_match=expected_generation,
                **client.one_attempt(deadline),
            )

        try:
            client.call_storage("write", upload, expected=(PreconditionFailed,))
        except PreconditionFailed:
            return None
        return StoredArtifact(artifact.type, self._event.generation, int(blob.generation), self._model)

    def delete_stale(self, existing: list[StoredArtifact]) -> None:
        """Delete all but the newest artifact, except those that another instance has changed since they were read.

        Args:
            existing: The artifacts that are stored.

        Raises:
            StorageError: If Cloud Storage fails.
        """
        from google.api_core.exceptions import NotFound, PreconditionFailed

        for stored in sorted(existing, key=lambda stored: stored.age_key)[:-1]:
            with suppress(NotFound, PreconditionFailed):
                client.call_storage("write", self._delete_call(stored), expected=(NotFound, PreconditionFailed))

    def _delete_call(self, stored: StoredArtifact) -> Callable[[float], None]:
        blob = self._blob(stored.type)
        return lambda deadline: blob.delete(if_generation_match=stored.generation, **client.one_attempt(deadline))

    def _read(self, artifact: ArtifactType) -> StoredArtifact | None:
        """Return one of the two artifacts; None if it is not stored."""
        from google.api_core.exceptions import NotFound

        blob = self._blob(artifact)
        try:
            _reload(blob)
        except NotFound:
            return None
        metadata = blob.metadata or {}
        source_generation = metadata.get("source-generation", "")
        if metadata.get("source-bucket") != self._event.bucket or not source_generation.isdecimal():
            raise ForeignObject
        model = ModelId(*(metadata.get(name, "") for name in ("model", "version", "sha256")))
        return StoredArtifact(artifact, int(source_generation), int(blob.generation), model)

    def _blob(self, artifact: ArtifactType) -> Any:
        name = events.artifact_name(self._event, artifact, self._buckets)
        return _client().bucket(self._buckets.mask_bucket).blob(name)


def read_photo(event: Event, limit_bytes: int) -> bytes | None:
    """Read the version of the photo that an event is about.

    Args:
        event: The event.
        limit_bytes: Largest photo that is read.

    Returns:
        The photo; None if this version no longer exists.

    Raises:
        EmptyBody: If the photo has no bytes.
        PhotoTooLarge: If it has more bytes than the limit.
        StorageError: If Cloud Storage fails.
    """
    from google.api_core.exceptions import NotFound

    blob = _client().bucket(event.bucket).blob(event.name, generation=event.generation)

    def download(deadline: float) -> bytes:
        buffer = io.BytesIO()
        # Each retry starts at the first byte: the library does not verify a download that it resumed.
        blob.download_to_file(client.Sink(buffer, deadline, limit_bytes), **client.one_attempt(deadline))
        return buffer.getvalue()

    try:
        if event.size > limit_bytes:  # the size in the event is not trusted
            _reload(blob)
            if blob.size > limit_bytes:
                raise PhotoTooLarge(f"the object has {blob.size} bytes; the limit is {limit_bytes}")
        data = client.call_storage("read", download, expected=(NotFound, client.SizeLimitExceeded))
    except NotFound:
        return None
    except client.SizeLimitExceeded as error:
        raise PhotoTooLarge(str(error)) from error
    if not data:
        raise EmptyBody("the object is empty")
    return data


def _reload(blob: Any) -> None:
    """Read an object's metadata.

    Raises:
        NotFound: If there is no such object; the class is google.api_core's.
        StorageError: If Cloud Storage fails.
    """
    from google.api_core.exceptions import NotFound

    client.call_storage("read", lambda deadline: blob.reload(**client.one_attempt(deadline)), expected=(NotFound,))


@cache
def _client() -> Any:
    return client.new_client()
