"""Download of large files over HTTP, resumed after interruptions and verified by checksum."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path

from model.training.cli import CommandError, ProgressBar

CHUNK_BYTES = 1 << 18
MAX_FAILURES = 5  # consecutive attempts that receive nothing
TIMEOUT_S = 60


def download(url: str, target: Path, md5: str, pause_s: float = 2.0) -> None:
    """Download a file unless it exists; resume from TARGET.part if an earlier attempt left one.

    Transient errors (5xx, lost connections) are retried with exponential backoff.

    Args:
        url: The file's address.
        target: Where to write it.
        md5: Its expected MD5 in hexadecimal.
        pause_s: Seconds before the first retry.

    Raises:
        CommandError: If the server rejects the request or keeps failing, or the checksum differs.
    """
    if target.is_file() and md5_of(target) == md5:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    failures = 0
    while failures < MAX_FAILURES:
        size_before = part.stat().st_size if part.is_file() else 0
        try:
            if _resume(url, part, size_before, target.name):
                break
            reason = "the connection was closed early"
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise CommandError(f"{url}: the server answers {error.code} {error.reason}") from error
            reason = f"the server answers {error.code}"
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", error))
        has_grown = part.is_file() and part.stat().st_size > size_before
        failures = 0 if has_grown else failures + 1
        time.sleep(pause_s * 2**failures / 2)
    else:
        raise CommandError(f"{url}: {reason}; run the same command again to resume from {part}")
    if md5_of(part) != md5:
        part.unlink()
        raise CommandError(f"{url}: the MD5 of the downloaded file differs from the expected one; the file was deleted")
    part.replace(target)


def md5_of(file: Path) -> str:
    """Return a file's MD5 in hexadecimal. It detects transmission errors, not attacks."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _resume(url: str, part: Path, offset: int, label: str) -> bool:
    """Request the bytes from an offset on and append them to a file.

    Returns:
        Whether the file is complete, by the length that the server states.
    """
    request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the file is complete or has changed on the server; the checksum shows which
            return True
        raise
    with response:
        if response.status != 206:  # the server does not support ranges and sends the whole file
            offset = 0
        length = response.headers.get("Content-Length")
        total = offset + int(length) if length else 0
        bar = ProgressBar(label, total, offset)
        with part.open("ab" if offset else "wb") as file:
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                bar.advance(len(chunk))
        bar.close()
    return not total or part.stat().st_size == total
