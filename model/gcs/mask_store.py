"""A photo out of one bucket, its mask into another, whatever is killed, repeated or out of order meanwhile.

What is written carries the photo's generation and the model that made it. A photo has a mask or, where it will never
work, a note, as two names. Three rules keep them right with no lock:

1. Nothing is written over what is as new or newer; and a write names the version that it saw, so that it fails
   (412) where another came between, and looks again.
2. Who has written looks at the other name, and removes the older of the two, if it is still the version that was seen.
   Of two who write at once, at least one sees both.
3. Whoever finds nothing to write removes what is older all the same: the event of one who was killed comes again.

The newest is never removed, so that an older photo can never take its place.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, TypeVar

from model.errors import Busy, EmptyBody, PhotoError, PhotoTooLarge, StorageFailed, code_of
from model.gcs import client, events
from model.gcs.events import Event, Kind
from model.options import Options
from model.segmenter import Segmenter, Stopwatch
from model.serving import cloud_logging
from model.serving.settings import Settings

T = TypeVar("T")
CALL_LIMIT_S = 10.0  # for one call to Cloud Storage, tries and all
MOST_ROUNDS = 8
MEDIA_TYPES: dict[Kind, str] = {"mask": "image/png", "note": "application/json"}
OTHER: dict[Kind, Kind] = {"mask": "note", "note": "mask"}


class NotOurs(Exception):
    """Something lies at a mask's name that was made of no photo, or of another one."""


@dataclass(frozen=True)
class Done:
    """What became of an event.

    outcome: "mask" or "note" where that was written; "present" where it was there, or a newer one; "gone" where this
        version of the photo no longer is; "refused" where nothing is to be made of it
    code: of a note or a refusal
    """

    outcome: str
    code: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """What a photo comes to, before it is written."""

    kind: Kind
    body: bytes
    code: str = ""


@dataclass(frozen=True)
class Held:
    """What is there of a photo.

    source: generation of the photo
    at: generation of the mask or note itself
    model: name, version and sha256
    """

    kind: Kind
    source: int
    at: int
    model: tuple[str, str, str]


def take(event: Event, segmenter: Segmenter, settings: Settings) -> Done:
    """Make the mask of the photo that an event is about, or the note that says why there is none.

    raises: InferenceFailed, Busy, StorageFailed; another delivery may fare better
    """
    refused = events.refusal(event, settings)
    try:
        if refused is None:
            return _settle(event, segmenter, settings)
    except NotOurs:
        refused = "not-ours", "what lies at the name of its mask was not made of it"
    cloud_logging.write("WARNING", f"no mask is made of gs://{event.bucket}/{event.name}: {refused[1]}")
    return Done("refused", refused[0])


def _settle(event: Event, segmenter: Segmenter, settings: Settings) -> Done:
    """Look, make and write, until what is there is as new as the event."""
    place, watch, made = Place(event, segmenter, settings), Stopwatch(), None
    for _ in range(MOST_ROUNDS):
        held = place.look()
        watch.mark("look")
        if place.has_as_new(held):
            place.tidy(held)
            return Done("present", stages_ms=watch.ms)
        made = made or _make(event, segmenter, settings, watch)
        if made is None:
            place.tidy(held)
            return Done("gone", stages_ms=watch.ms)
        written = place.write(made, held)
        watch.mark("write")
        if written:
            place.tidy([written, *place.look(OTHER[made.kind])])
            watch.mark("tidy")
            return Done(made.kind, made.code, watch.ms)
    raise StorageFailed("others write the same mask again and again")


def _make(event: Event, segmenter: Segmenter, settings: Settings, watch: Stopwatch) -> Made | None:
    """Make what is to be written; None where this version of the photo no longer is."""
    try:
        data = _read(event, settings.max_upload_bytes)
        watch.mark("read")
        if data is None:
            return None
        answer = segmenter.segment(data, Options.parse({}, segmenter.card))
    except PhotoError as error:
        if isinstance(error.__cause__, MemoryError):
            raise Busy("there is no memory for this photo now") from error
        return _note(event, segmenter, error)
    watch.take(answer.stages_ms)
    return Made("mask", answer.body)


def _note(event: Event, segmenter: Segmenter, error: PhotoError) -> Made:
    """Put into words why a photo has no mask."""
    code, (model, version, _) = code_of(type(error).__name__), _stamp(segmenter)
    said = {"code": code, "detail": str(error), "bucket": event.bucket, "name": event.name}
    said |= {"generation": str(event.generation), "model": model, "version": version}
    return Made("note", json.dumps(said, ensure_ascii=False, indent=2).encode(), code)


def _read(event: Event, limit_bytes: int) -> bytes | None:
    """Read the very version of the photo that an event is about; None where it no longer is.

    raises: EmptyBody, PhotoTooLarge, StorageFailed
    """
    from google.api_core.exceptions import NotFound

    blob = _client().bucket(event.bucket).blob(event.name, generation=event.generation)

    def download(end: float) -> bytes:
        sink = Sink(limit_bytes, end)
        # begun anew each time: the library checks no checksum of a download that it resumed
        blob.download_to_file(sink, retry=None, **client.time_limit(end))
        return sink.file.getvalue()

    try:
        if event.size > limit_bytes:  # an event may say anything
            _call("read", lambda end: blob.reload(retry=None, **client.time_limit(end)), NotFound)
            if blob.size > limit_bytes:
                raise PhotoTooLarge(f"the object has {blob.size} bytes; the limit is {limit_bytes}")
        data = _call("read", download, NotFound)
    except NotFound:
        return None
    if not data:
        raise EmptyBody("the object is empty")
    return data


class Sink:
    """Memory that takes so many bytes, and none once the time is over."""

    def __init__(self, limit_bytes: int, end: float) -> None:
        self.file, self._limit_bytes, self._end = io.BytesIO(), limit_bytes, end

    def write(self, data: bytes) -> int:
        if time.monotonic() > self._end:
            raise client.Failed("the link is too slow")
        if self.file.tell() + len(data) > self._limit_bytes:
            raise PhotoTooLarge(f"the object has more than {self._limit_bytes} bytes")
        return self.file.write(data)


class Place:
    """Where the mask and the note of one photo lie."""

    def __init__(self, event: Event, segmenter: Segmenter, settings: Settings) -> None:
        self._event, self._settings = event, settings
        self._model = _stamp(segmenter)

    def look(self, *kinds: Kind) -> list[Held]:
        """See what is there, of some kinds or of both.

        raises: NotOurs, StorageFailed
        """
        return [held for kind in kinds or MEDIA_TYPES if (held := self._look(kind))]

    def has_as_new(self, held: list[Held]) -> bool:
        """Tell whether there is nothing to write: a newer photo's is there, or this one's, of this model."""
        if not held:
            return False
        newest = max(held, key=_age)
        return newest.source > self._event.generation or (
            newest.source == self._event.generation and newest.model == self._model
        )

    def write(self, made: Made, held: list[Held]) -> Held | None:
        """Write in the place of what was seen; None where another came between.

        raises: StorageFailed
        """
        from google.api_core.exceptions import PreconditionFailed

        blob = self._blob(made.kind)
        blob.metadata = self._metadata()
        options = {
            "content_type": MEDIA_TYPES[made.kind],
            "if_generation_match": next((one.at for one in held if one.kind == made.kind), 0),
            "retry": None,
        }
        try:
            _call(
                "write",
                lambda end: blob.upload_from_string(made.body, **options, **client.time_limit(end)),
                PreconditionFailed,
            )
        except PreconditionFailed:
            return None
        if made.kind == "note":
            cloud_logging.write(
                "WARNING", f"gs://{self._event.bucket}/{self._event.name} has a note in place of a mask: {made.code}"
            )
        return Held(made.kind, self._event.generation, int(blob.generation), self._model)

    def tidy(self, held: list[Held]) -> None:
        """Of a mask and a note, remove the older, unless another has been there first.

        raises: StorageFailed
        """
        from google.api_core.exceptions import NotFound, PreconditionFailed

        for older in sorted(held, key=_age)[:-1]:
            blob = self._blob(older.kind)
            with suppress(NotFound, PreconditionFailed):
                _call("write", partial(_delete, blob, older.at), NotFound, PreconditionFailed)

    def _look(self, kind: Kind) -> Held | None:
        from google.api_core.exceptions import NotFound

        blob = self._blob(kind)
        try:
            _call("read", lambda end: blob.reload(retry=None, **client.time_limit(end)), NotFound)
        except NotFound:
            return None
        has = blob.metadata or {}
        if has.get("source-bucket") != self._event.bucket or not has.get("source-generation", "").isdecimal():
            raise NotOurs
        model = has.get("model", ""), has.get("version", ""), has.get("sha256", "")
        return Held(kind, int(has["source-generation"]), int(blob.generation), model)

    def _metadata(self) -> dict[str, str]:
        model, version, sha256 = self._model
        source = {"source-bucket": self._event.bucket, "source-generation": str(self._event.generation)}
        return {"model": model, "version": version, "sha256": sha256, **source}

    def _blob(self, kind: Kind) -> Any:
        return _client().bucket(self._settings.mask_bucket).blob(events.name(self._event, kind, self._settings))


def _age(held: Held) -> tuple[int, int]:
    """Order by the photo's version; where that is the same, by what was written when."""
    return held.source, held.at


def _stamp(segmenter: Segmenter) -> tuple[str, str, str]:
    return segmenter.card.name, segmenter.card.version, segmenter.sha256


def _delete(blob: Any, generation: int, end: float) -> None:
    blob.delete(if_generation_match=generation, retry=None, **client.time_limit(end))


@cache
def _client() -> Any:
    return client.client()


def _call(verb: str, call: Callable[[float], T], *expected: type[Exception]) -> T:
    """Call Cloud Storage, again where that may help.

    call: is given the end of its time
    raises: what is expected; PhotoError; else StorageFailed
    """
    end = time.monotonic() + CALL_LIMIT_S
    try:
        return client.patiently(lambda: call(end), end)
    except Exception as error:  # of four libraries
        if isinstance(error, (PhotoError, *expected)):
            raise
        cloud_logging.write("ERROR", f"Cloud Storage fails: {client.reason(error, verb)}")
        raise StorageFailed("Cloud Storage does not do its part now; try again in a moment") from error
