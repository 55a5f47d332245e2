"""The model file: a local path, or a download from Cloud Storage by a child process.

google.cloud.storage takes more time to import, and more memory, than everything else together. A child process
downloads the model and exits, so that the server never imports it, and a download that hangs can be killed.
"""

from __future__ import annotations

import atexit
import base64
import gc
import hashlib
import mmap
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from model.errors import ModelError, ModelNotFound, ModelRejected
from model.gcs import client

URI = re.compile(r"gs://(?P<bucket>[^/]+)/(?P<name>.+?)(?:#(?P<generation>\d+))?")
EXIT_TIMEOUT_S = 1.0  # for the child process to report its own timeout


class ModelFile(NamedTuple):
    """A model file on the local disk.

    Attributes:
        path: Where it is.
        sha256: Checksum of the whole file, in hex.
        generation: Cloud Storage's number of this version; empty for a local file.
    """

    path: Path
    sha256: str
    generation: str = ""


class GcsUri(NamedTuple):
    """The URI of an object in Cloud Storage.

    Attributes:
        bucket: Name of the bucket.
        name: Name of the object.
        generation: Version of the object; None for the newest.
    """

    bucket: str
    name: str
    generation: int | None = None


def parse_gcs_uri(uri: str) -> GcsUri | None:
    """Parse the URI of a model.

    Args:
        uri: A path, or gs://bucket/object with or without #generation.

    Returns:
        The object; None for a path.

    Raises:
        ModelRejected: If the URI has another form.
    """
    if "://" not in uri:
        return None
    match = URI.fullmatch(uri)
    if match is None:
        raise ModelRejected(f"MODEL_URI must be a path or gs://bucket/object, optionally with #generation, not {uri}")
    return GcsUri(match["bucket"], match["name"], int(match["generation"]) if match["generation"] else None)


def start(uri: str, sha256: str, timeout_s: float) -> Callable[[], ModelFile]:
    """Start the download of the model file that a URI names, if it is not a local file.

    Args:
        uri: A path, or gs://bucket/object with or without #generation.
        sha256: Checksum that the file must have, in hex; empty for any.
        timeout_s: Longest time for a download.

    Returns:
        A function that waits for the file and returns it. It raises ModelNotFound if there is no such file, or it
        cannot be downloaded, and ModelRejected if the file has another checksum.

    Raises:
        ModelRejected: If the URI has an unknown form.
    """
    gcs_uri = parse_gcs_uri(uri)
    return ModelDownload(gcs_uri, sha256, timeout_s).wait if gcs_uri else partial(local_model_file, uri, sha256)


def local_model_file(path: str, sha256: str = "") -> ModelFile:
    """Return a model file of the local disk with its checksum.

    Args:
        path: Path of the file.
        sha256: Checksum that the file must have, in hex; empty for any.

    Raises:
        ModelNotFound: If there is no such file.
        ModelRejected: If the file has another checksum.
    """
    file = Path(path)
    if not file.is_file():
        raise ModelNotFound(f"there is no model at {path}")
    actual = hashlib.sha256(_mapped(file)).hexdigest()
    if sha256 and actual != sha256:
        raise ModelRejected(f"the checksum of {file.name} is not MODEL_SHA256")
    return ModelFile(file, actual)


def _mapped(file: Path) -> bytes | mmap.mmap:
    """Map a file, so that it can be hashed in one call, which other threads do not interrupt."""
    if not file.stat().st_size:
        return b""
    with file.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


class ModelDownload:
    """A download of a model from Cloud Storage, in a child process that starts at once."""

    def __init__(self, uri: GcsUri, sha256: str, timeout_s: float) -> None:
        """Start the download.

        Args:
            uri: The object.
            sha256: Checksum that the file must have, in hex; empty for any.
            timeout_s: Longest time until the file is complete.
        """
        import multiprocessing  # not needed for a local model

        # A fork shares the modules already imported. Beside other threads it could inherit a lock that stays locked.
        context = multiprocessing.get_context("fork" if threading.active_count() == 1 else "spawn")
        self._deadline = time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        self._folder = Path(tempfile.mkdtemp(prefix="silhouette-"))
        self._connection, child_end = context.Pipe(duplex=False)
        arguments = child_end, uri, self._folder, sha256, timeout_s
        self._process: Any = context.Process(target=_child, args=arguments, daemon=True)  # type: ignore[attr-defined]
        self._process.start()
        child_end.close()

    def wait(self) -> ModelFile:
        """Return the file once it is complete.

        Raises:
            ModelNotFound: If the download fails or takes too long.
            ModelRejected: If the file has another checksum than MODEL_SHA256.
        """
        result: ModelFile | ModelError = _not_downloaded(f"the download did not end within {self._timeout_s:g} s")
        try:
            if self._connection.poll(max(0.0, self._deadline - time.monotonic()) + EXIT_TIMEOUT_S):
                result = self._connection.recv()
        except EOFError:
            self._process.join()
            result = _not_downloaded(f"the download process ended with exit code {self._process.exitcode}")
        self._process.kill()
        self._process.join()
        if isinstance(result, ModelError):
            shutil.rmtree(self._folder, ignore_errors=True)
            raise result
        atexit.register(_remove_folder, self._folder, os.getpid())
        return result


def _remove_folder(folder: Path, owner_pid: int) -> None:
    if os.getpid() == owner_pid:  # workers are forked later and exit earlier
        shutil.rmtree(folder, ignore_errors=True)


def _not_downloaded(reason: str) -> ModelNotFound:
    return ModelNotFound(f"cannot download the model: {reason}")


def _child(connection: Any, uri: GcsUri, folder: Path, sha256: str, timeout_s: float) -> None:
    """Run in the child process: download a model, and send back its ModelFile or the error."""
    gc.disable()  # a collection would walk all imported modules, and the process ends soon
    try:
        result: ModelFile | ModelError = download_model(uri, folder, sha256, time.monotonic() + timeout_s)
    except ModelError as error:
        result = error
    except Exception as error:  # four libraries raise errors of their own
        result = _not_downloaded(client.describe_error(error))
    connection.send(result)
    os._exit(0)  # do not wait for connections and threads to close


def download_model(uri: GcsUri, folder: Path, sha256: str, deadline: float) -> ModelFile:
    """Download a model in this process, with retries.

    Args:
        uri: The object.
        folder: Existing folder for the file.
        sha256: Checksum that the file must have, in hex; empty for any.
        deadline: Time of `time.monotonic` until which the download may take.

    Raises:
        ModelRejected: If the file has another checksum.
        Exception: The last error, if it is permanent or the time is over; `client.describe_error` describes it.
    """
    generation = uri.generation

    def attempt() -> ModelFile:
        nonlocal generation
        blob = client.new_client().bucket(uri.bucket).blob(uri.name, generation=generation)
        blob.reload(**client.resumed_until(deadline))
        generation = int(blob.generation)  # a retry must not switch to a newer version
        return _download_blob(blob, folder, sha256, deadline)

    return client.retry_until(deadline, attempt)


def _download_blob(blob: Any, folder: Path, sha256: str, deadline: float) -> ModelFile:
    """Download an object under a temporary name, verify its checksums, and rename it."""
    import google_crc32c

    partial, file = folder / "partial", folder / "model.tflite"
    actual_sha256, crc32c = hashlib.sha256(), google_crc32c.Checksum()
    with partial.open("wb") as stream:
        sink = client.Sink(stream, deadline, hashes=(actual_sha256, crc32c))
        pinned = blob.bucket.blob(blob.name, generation=blob.generation)
        # The library does not verify a download that it resumed, so the checksums are computed here.
        pinned.download_to_file(sink, raw_download=True, checksum=None, **client.resumed_until(deadline))
    if sink.size != blob.size or (blob.crc32c and base64.b64encode(crc32c.digest()).decode() != blob.crc32c):
        raise client.ChecksumMismatch("the checksum of the download differs from the object's")
    if sha256 and actual_sha256.hexdigest() != sha256:
        raise ModelRejected(f"the checksum of {blob.name} is not MODEL_SHA256")
    partial.rename(file)
    return ModelFile(file, actual_sha256.hexdigest(), str(blob.generation))
