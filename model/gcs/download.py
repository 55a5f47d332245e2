"""Where a model comes from: a path, or Cloud Storage.

google.cloud.storage takes longer to import, and more memory, than all else together. So a process of its own fetches
the model and is gone when that is done; and one that hangs can be ended, whatever it hangs on.
"""

from __future__ import annotations

import atexit
import base64
import gc
import hashlib
import os
import re
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from model.errors import ModelNotFound, ModelRejected
from model.gcs import client

URI = re.compile(r"gs://(?P<bucket>[^/]+)/(?P<name>.+?)(?:#(?P<generation>\d+))?")
GRACE_S = 1.0  # for the fetching process to end by itself


@dataclass(frozen=True)
class Found:
    """A model's file, as it is here.

    sha256: of the whole file, in hex
    generation: Cloud Storage's number of this version; empty for a file that was here already
    """

    file: Path
    sha256: str
    generation: str = ""


def is_remote(uri: str) -> bool:
    """Tell whether a model must be fetched.

    raises: ModelRejected when the URI is of a kind that nobody knows
    """
    if "://" in uri and not URI.fullmatch(uri):
        raise ModelRejected(f"MODEL_URI must be a path or gs://bucket/object, with or without #generation, not {uri}")
    return "://" in uri


def find(uri: str, sha256: str, timeout_s: float) -> Found:
    """Find the model that a URI names, and wait for it where it must be fetched.

    raises: ModelNotFound, ModelRejected
    """
    return Fetch(uri, sha256, timeout_s).wait() if is_remote(uri) else local(uri, sha256)


def local(path: str, sha256: str = "") -> Found:
    """Find a model on this machine.

    sha256: that it must have; empty for any
    raises: ModelNotFound, ModelRejected
    """
    file = Path(path)
    if not file.is_file():
        raise ModelNotFound(f"there is no model at {path}")
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if sha256 and found != sha256:
        raise ModelRejected(f"{file.name} is not the model that MODEL_SHA256 names")
    return Found(file, found)


class Fetch:
    """A model on its way from Cloud Storage, in a process of its own that begins at once."""

    def __init__(self, uri: str, sha256: str, timeout_s: float) -> None:
        """Begin to fetch.

        uri: gs://bucket/object, with or without #generation
        """
        import multiprocessing  # a bundled model has no need of it

        # forking spares the imports that both need; a fork beside other threads could inherit a lock for ever
        context = multiprocessing.get_context("fork" if threading.active_count() == 1 else "spawn")
        self._end = time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        self._folder = Path(tempfile.mkdtemp(prefix="silhouette-"))
        self._answer, other_end = context.Pipe(duplex=False)
        arguments = other_end, uri, self._folder, sha256, timeout_s
        self._process: Any = context.Process(target=_answer, args=arguments, daemon=True)  # type: ignore[attr-defined]
        self._process.start()
        other_end.close()

    def wait(self) -> Found:
        """Wait until the model is here, or the time is over.

        raises: ModelNotFound
        """
        answer: Found | str = f"it was not here after {self._timeout_s:g} s"
        try:
            if self._answer.poll(max(0.0, self._end - time.monotonic()) + GRACE_S):
                answer = self._answer.recv()
        except EOFError:
            self._process.join()
            answer = f"the process that fetches it ended with {self._process.exitcode}"
        self._process.kill()
        self._process.join()
        if isinstance(answer, str):
            shutil.rmtree(self._folder, ignore_errors=True)
            raise ModelNotFound(f"the model cannot be fetched: {answer}")
        atexit.register(_clear, self._folder, os.getpid())
        return answer


def _clear(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # workers that are forked later end earlier
        shutil.rmtree(folder, ignore_errors=True)


class Sink:
    """A file that takes its checksums as it is written, and no more once the time is over."""

    def __init__(self, file: BinaryIO, crc32c: Any, end: float) -> None:
        self._file, self.crc32c, self._end = file, crc32c, end
        self.sha256, self.size = hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        if time.monotonic() > self._end:
            raise client.Failed("the link is too slow")
        self._file.write(data)
        self.sha256.update(data)
        self.crc32c.update(data)
        self.size += len(data)
        return len(data)


def _answer(to: Any, uri: str, folder: Path, sha256: str, timeout_s: float) -> None:
    """Fetch a model and send back where it is, or what went wrong: the process that Fetch begins."""
    gc.disable()  # it would go through every import; all is over soon
    end = time.monotonic() + timeout_s
    try:
        answer: Found | str = _fetch(uri, folder, sha256, end)
    except Exception as error:  # of four libraries, and each reason is worth telling
        answer = client.reason(error)
    to.send(answer)
    os._exit(0)  # connections and threads are nobody's concern any more


def _fetch(uri: str, folder: Path, sha256: str, end: float) -> Found:
    """Fetch the model, anew as long as there is time and it may help."""
    match = URI.fullmatch(uri)
    if match is None:
        raise client.Failed(f"{uri} names no object")
    generation = match["generation"]

    def attempt() -> Found:
        nonlocal generation
        blob = _blob(match["bucket"], match["name"], generation, end)
        generation = str(blob.generation)  # the version found first is the one that is fetched
        return _download(blob, folder, sha256, end)

    return client.patiently(attempt, end)


def _blob(bucket: str, name: str, generation: str | None, end: float) -> Any:
    """Look the object up."""
    blob = client.client().bucket(bucket).blob(name, generation=int(generation) if generation else None)
    blob.reload(**_patience(end))
    return blob


def _download(blob: Any, folder: Path, sha256: str, end: float) -> Found:
    """Bring the object to a temporary name, hold it against its checksums, and rename it."""
    import google_crc32c

    partial, file = folder / "partial", folder / "model.tflite"
    crc32c: Any = google_crc32c.Checksum  # it has no types
    with partial.open("wb") as stream:
        sink = Sink(stream, crc32c(), end)
        pinned = blob.bucket.blob(blob.name, generation=blob.generation)
        # the library checks nothing once a download was resumed; the checksums here are of all bytes
        pinned.download_to_file(sink, raw_download=True, checksum=None, **_patience(end))
    found_crc32c = base64.b64encode(sink.crc32c.digest()).decode()
    if sink.size != blob.size or (blob.crc32c and found_crc32c != blob.crc32c):
        raise client.Differs("its checksum differs from the one that Cloud Storage has")
    if sha256 and sink.sha256.hexdigest() != sha256:
        raise client.Failed("it is not the model that MODEL_SHA256 names")
    partial.rename(file)
    return Found(file, sink.sha256.hexdigest(), str(blob.generation))


def _patience(end: float) -> dict[str, Any]:
    """Give the library's own words for the time that is left."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    retry = DEFAULT_RETRY.with_timeout(max(0.1, end - time.monotonic()))
    return client.time_limit(end) | {"retry": retry.with_delay(client.FIRST_PAUSE_S, client.LONGEST_PAUSE_S)}
