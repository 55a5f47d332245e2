"""Cloud Storage's client, and how long to be patient with it. google.cloud.storage enters here, when first used."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Any, TypeVar

from model.errors import SilhouetteError

T = TypeVar("T")
SOCKET_LIMIT_S = 20.0  # without a byte, before the connection is given up and made anew
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0


class Failed(Exception):
    """Trying again changes nothing."""


class Differs(Exception):
    """What came is not what is stored; trying again may help."""


def client() -> Any:
    """Make a client that acts as the account this runs as, or as nobody where there is none."""
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    try:
        return storage.Client(project="none")  # objects need none, and asking for it takes a request
    except DefaultCredentialsError:
        return storage.Client.create_anonymous_client()  # for what everyone may read


def patiently(call: Callable[[], T], end: float) -> T:
    """Call, and call again after pauses, as long as there is time and it may help.

    end: of the time, by the monotonic clock
    raises: what the last call raised
    """
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return call()
        except Exception as error:
            if not passing(error) or time.monotonic() + pause_s > end:
                raise
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def time_limit(end: float) -> dict[str, Any]:
    """Give the library's own words for how long one connection may say nothing."""
    socket_s = min(SOCKET_LIMIT_S, max(0.1, end - time.monotonic()))
    return {"timeout": (socket_s, socket_s)}


def passing(error: Exception) -> bool:
    """Tell whether trying again may help."""
    from google.api_core.exceptions import ClientError, TooManyRequests

    if isinstance(error, Failed | SilhouetteError) or _no_room(error):
        return False
    return isinstance(error, TooManyRequests) or not isinstance(error, ClientError)


def reason(error: Exception, verb: str = "read") -> str:
    """Say in one line what went wrong.

    verb: what was to be done
    """
    from google.api_core.exceptions import Forbidden, NotFound, Unauthorized

    if isinstance(error, NotFound):
        return "there is no such bucket, object or generation"
    if isinstance(error, Forbidden | Unauthorized):
        return f"this function's service account may not {verb} it"
    if _no_room(error):
        return "the disk has no room for it"
    if isinstance(error, Failed | Differs):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _no_room(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
