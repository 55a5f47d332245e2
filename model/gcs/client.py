"""Access to Cloud Storage: the client, retries, timeouts and checked writing.

google.cloud.storage takes about 0.4 s to import, so it is imported when it is first used.
"""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, TypeVar

from model.errors import SilhouetteError

T = TypeVar("T")
CALL_TIMEOUT_S = 10.0  # one call of a storage event, retries included
SOCKET_TIMEOUT_S = 20.0  # without a byte, before a connection is given up
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0  # between retries; the pause doubles


class PermanentError(Exception):
    """An error that a retry cannot fix."""


class DeadlineExceeded(PermanentError):
    """The transfer did not end in time."""


class SizeLimitExceeded(PermanentError):
    """The object has more bytes than allowed."""


class ChecksumMismatch(Exception):
    """The bytes received are not the bytes stored; a retry may succeed."""


class StorageError(Exception):
    """A call to Cloud Storage failed for good. The message has the reason, which is for the log only."""


def new_client() -> Any:
    """Return a google.cloud.storage client with the default credentials, or an anonymous one if there are none."""
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    try:
        return storage.Client(project="none")  # objects need no project, and detecting it takes a request
    except DefaultCredentialsError:
        return storage.Client.create_anonymous_client()  # can read public objects


def retry_until(deadline: float, call: Callable[[], T]) -> T:
    """Call a function, and retry it with exponential backoff and jitter while its errors are retryable.

    Args:
        deadline: Time of `time.monotonic` after which no retry starts.
        call: The function.

    Returns:
        The function's result.

    Raises:
        Exception: The error of the last call, if it is permanent or the time is over.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return call()
        except Exception as error:
            if not is_retryable(error) or time.monotonic() + pause_s > deadline:
                raise
        time.sleep(random.uniform(pause_s / 2, pause_s))  # so that instances do not retry all at the same moment
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def call_storage(action: str, call: Callable[[float], T], expected: tuple[type[Exception], ...] = ()) -> T:
    """Call Cloud Storage with retries, for at most CALL_TIMEOUT_S.

    Args:
        action: What the call does, for the error message: "read" or "write".
        call: The function; it is given the deadline, a time of `time.monotonic`.
        expected: Errors that the caller handles; they are raised as they are.

    Returns:
        The function's result.

    Raises:
        StorageError: If the call fails with another error.
    """
    deadline = time.monotonic() + CALL_TIMEOUT_S
    try:
        return retry_until(deadline, lambda: call(deadline))
    except Exception as error:  # four libraries raise errors of their own
        if isinstance(error, expected):
            raise
        raise StorageError(describe_error(error, action)) from error


def one_attempt(deadline: float) -> dict[str, Any]:
    """Return the library's keyword arguments for a call that is not retried by the library."""
    return {"timeout": _socket_timeouts(deadline), "retry": None}


def resumed_until(deadline: float) -> dict[str, Any]:
    """Return the library's keyword arguments for a call that the library retries, and resumes, until a deadline."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    retry = DEFAULT_RETRY.with_timeout(max(0.1, deadline - time.monotonic()))
    return {
        "timeout": _socket_timeouts(deadline),
        "retry": retry.with_delay(FIRST_PAUSE_S, LONGEST_PAUSE_S),
    }


def is_retryable(error: Exception) -> bool:
    """Return whether a retry may succeed: not for permanent errors, our own, a full disk, or 4xx other than 429."""
    from google.api_core.exceptions import ClientError, TooManyRequests

    if isinstance(error, PermanentError | SilhouetteError) or _is_disk_full(error):
        return False
    return isinstance(error, TooManyRequests) or not isinstance(error, ClientError)


def describe_error(error: Exception, action: str = "read") -> str:
    """Return the reason of an error in one line.

    Args:
        error: The error of a call.
        action: What the call does: "read" or "write".
    """
    from google.api_core.exceptions import Forbidden, NotFound, Unauthorized

    if isinstance(error, NotFound):
        return "no such bucket, object or generation"
    if isinstance(error, Forbidden | Unauthorized):
        return f"the function's service account has no permission to {action} it"
    if _is_disk_full(error):
        return "the disk is full"
    if isinstance(error, PermanentError | ChecksumMismatch):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


class Sink:
    """A file that a download is written to, with a deadline, a size limit and running checksums.

    A socket timeout does not stop a server that sends a few bytes a second; the deadline here does.

    Attributes:
        size: Bytes written so far.
    """

    def __init__(
        self, file: BinaryIO, deadline: float, limit_bytes: float = float("inf"), hashes: Iterable[Any] = ()
    ) -> None:
        """Wrap a file.

        Args:
            file: Where the bytes go.
            deadline: Time of `time.monotonic` after which no more is written.
            limit_bytes: Most bytes that are written.
            hashes: Objects with an `update` method, such as those of hashlib, that are given all bytes.
        """
        self.size = 0
        self._file, self._deadline, self._limit_bytes = file, deadline, limit_bytes
        self._hashes = tuple(hashes)

    def write(self, data: bytes) -> int:
        """Write bytes and update the checksums.

        Args:
            data: The next bytes.

        Returns:
            The number of bytes written, which is all of them.

        Raises:
            DeadlineExceeded: If the deadline has passed.
            SizeLimitExceeded: If the file would become larger than the limit.
        """
        if time.monotonic() > self._deadline:
            raise DeadlineExceeded("the connection is too slow")
        if self.size + len(data) > self._limit_bytes:
            raise SizeLimitExceeded(f"the object has more than {self._limit_bytes} bytes")
        self._file.write(data)
        for checksum in self._hashes:
            checksum.update(data)
        self.size += len(data)
        return len(data)


def _socket_timeouts(deadline: float) -> tuple[float, float]:
    """Return the timeouts for connecting and for each read, in seconds."""
    timeout_s = min(SOCKET_TIMEOUT_S, max(0.1, deadline - time.monotonic()))
    return timeout_s, timeout_s


def _is_disk_full(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
