from __future__ import annotations

import hashlib
import io
import time

import pytest
from google.api_core.exceptions import Forbidden, NotFound, ServiceUnavailable, TooManyRequests, Unauthorized
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError

from model.errors import ModelRejected
from model.gcs import client


class FlakyCall:
    """Fails with some errors, and then returns "done"."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.mark.parametrize(
    "error", [ServiceUnavailable("503"), TooManyRequests("429"), ConnectionError(), client.ChecksumMismatch()]
)
def test_a_transient_error_is_retried(error: Exception) -> None:
    assert client.retry_until(time.monotonic() + 10, FlakyCall(error)) == "done"


@pytest.mark.parametrize(
    "error", [NotFound("404"), Forbidden("403"), client.PermanentError(), ModelRejected(""), OSError(28, "disk full")]
)
def test_a_permanent_error_is_not_retried(error: Exception) -> None:
    call = FlakyCall(error, error)
    with pytest.raises(type(error)):
        client.retry_until(time.monotonic() + 10, call)
    assert len(call.errors) == 1


def test_the_pauses_between_retries_grow_and_vary(monkeypatch: pytest.MonkeyPatch) -> None:
    def pauses() -> list[float]:
        recorded: list[float] = []
        with monkeypatch.context() as patch:
            patch.setattr(time, "sleep", recorded.append)
            client.retry_until(time.monotonic() + 100, FlakyCall(*[ServiceUnavailable("503")] * 8))
        return recorded

    first, second = pauses(), pauses()
    assert first != second
    longest = [min(client.FIRST_PAUSE_S * 2**i, client.LONGEST_PAUSE_S) for i in range(8)]
    for recorded in (first, second):
        assert all(limit / 2 <= pause <= limit for pause, limit in zip(recorded, longest, strict=True))


def test_no_retry_starts_after_the_deadline() -> None:
    with pytest.raises(ServiceUnavailable):
        client.retry_until(time.monotonic(), FlakyCall(ServiceUnavailable("503")))


def test_a_failed_call_raises_a_storage_error_and_an_expected_error_itself() -> None:
    with pytest.raises(client.StorageError, match="no permission to write it"):
        client.call_storage("write", lambda _: FlakyCall(Forbidden("403"))())
    with pytest.raises(NotFound):
        client.call_storage("read", lambda _: FlakyCall(NotFound("404"))(), expected=(NotFound,))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotFound("404"), "no such bucket, object or generation"),
        (Unauthorized("401"), "the function's service account has no permission to read it"),
        (OSError(28, "No space left"), "the disk is full"),
        (client.ChecksumMismatch("the checksum differs"), "the checksum differs"),
        (TimeoutError("no bytes\n for 20 s"), "TimeoutError: no bytes for 20 s"),
    ],
)
def test_the_reason_of_an_error_is_one_line(error: Exception, reason: str) -> None:
    assert client.describe_error(error) == reason


def test_without_credentials_the_client_is_anonymous(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_credentials(**_: object) -> None:
        raise DefaultCredentialsError("none")

    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setattr("google.auth.default", no_credentials)
    assert isinstance(client.new_client()._credentials, AnonymousCredentials)


def test_a_sink_writes_counts_and_hashes_all_bytes() -> None:
    file, sha256 = io.BytesIO(), hashlib.sha256()
    sink = client.Sink(file, time.monotonic() + 10, hashes=[sha256])
    assert [sink.write(b"ab"), sink.write(b"c")] == [2, 1]
    assert (file.getvalue(), sink.size) == (b"abc", 3)
    assert sha256.digest() == hashlib.sha256(b"abc").digest()


def test_a_sink_accepts_no_bytes_above_its_limit_or_after_its_deadline() -> None:
    sink = client.Sink(io.BytesIO(), time.monotonic() + 10, limit_bytes=3)
    sink.write(b"abc")
    with pytest.raises(client.SizeLimitExceeded):
        sink.write(b"d")
    with pytest.raises(client.DeadlineExceeded):
        client.Sink(io.BytesIO(), time.monotonic() - 1).write(b"a")
