"""Large files over HTTP: taken up where they broke off, and checked."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path

from model.training.cli import CommandError, ProgressBar

CHUNK_BYTES = 1 << 18
TRIES = 5  # in a row without a byte
TIMEOUT_S = 60


def fetch(url: str, target: Path, md5: str, pause_s: float = 2.0) -> None:
    """Download a file, unless it is there already; what an earlier try left in TARGET.part is gone on with.

    pause_s: before the first new try; doubled before each further one
    raises: CommandError when the server refuses, goes on breaking off, or the checksum differs
    """
    if target.is_file() and digest(target) == md5:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    failures = 0
    while failures < TRIES:
        before = part.stat().st_size if part.is_file() else 0
        try:
            if _go_on(url, part, before, target.name):
                break
            reason = "the connection was cut"
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise CommandError(f"{url}: the server answers {error.code} {error.reason}") from error
            reason = f"the server answers {error.code}"
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", error))
        grown = part.is_file() and part.stat().st_size > before
        failures = 0 if grown else failures + 1
        time.sleep(pause_s * 2**failures / 2)
    else:
        raise CommandError(f"{url}: {reason}; what came is kept in {part}, the same command goes on with it")
    if digest(part) != md5:
        part.unlink()
        raise CommandError(f"{url}: what came is not the file that was expected (its MD5 differs); it was deleted")
    part.replace(target)


def digest(file: Path) -> str:
    """Give the MD5 of a file, in hex; it guards against accidents, not against malice."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _go_on(url: str, part: Path, have: int, label: str) -> bool:
    """Ask for what is missing and append it.

    returns: whether the file is whole, by the length that the server names
    """
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing, or the file has changed: the checksum will tell
            return True
        raise
    with answer:
        if answer.status != 206:  # a server without ranges begins anew
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else 0
        bar = ProgressBar(label, total, have)
        with part.open("ab" if have else "wb") as file:
            while chunk := answer.read(CHUNK_BYTES):
                file.write(chunk)
                bar.advance(len(chunk))
        bar.close()
    return not total or part.stat().st_size == total
