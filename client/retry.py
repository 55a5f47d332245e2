"""When to try again, and when to give up: the rules alone, with no network and no clock of their own.

`converse` is a generator that says what to do next; the sync and the async client each do it in their own way.
"""

from __future__ import annotations

import random
import socket
import ssl
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count

import httpx

from client.errors import Unreachable

PASSING_STATUSES = (429, 502, 503, 504)
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0
SHORTEST_TIMEOUT_S = 0.05


@dataclass(frozen=True)
class Send:
    """Ask for the request to be sent; answered by the response or by the error."""

    timeout_s: float


@dataclass(frozen=True)
class Renew:
    """Ask for a new identity token; answered by whether there is one."""


@dataclass(frozen=True)
class Wait:
    """Ask for a pause; why is for the log."""

    pause_s: float
    why: str


@dataclass(frozen=True)
class Exchange:
    """Hold the response that counts, how many tries it took, and how long the last one took."""

    response: httpx.Response
    tries: int
    round_trip_ms: float


Step = Send | Renew | Wait
Reply = httpx.Response | httpx.RequestError | bool | None


def converse(
    where: str, deadline_s: float, clock: Callable[[], float] = time.monotonic
) -> Generator[Step, Reply, Exchange]:
    """Lead one request through its tries until it is answered or the deadline is near.

    where: the address, for the words of an error
    raises: Unreachable
    """
    until, renewed = clock() + deadline_s, False
    for tries in count(1):
        # Half of the deadline, so that one connection that hangs leaves time for another.
        timeout_s = max(min(until - clock(), deadline_s / 2), SHORTEST_TIMEOUT_S)
        sent_at = clock()
        reply = yield Send(timeout_s)
        round_trip_ms = (clock() - sent_at) * 1000
        if isinstance(reply, httpx.Response) and reply.status_code in (401, 403) and not renewed:
            renewed = True
            if (yield Renew()):
                continue
        pause_s = pause_before_next(tries, reply)
        if not passes(reply) or clock() + pause_s >= until:
            break
        yield Wait(pause_s, in_words(reply))
    if isinstance(reply, httpx.Response):
        return Exchange(reply, tries, round_trip_ms)
    error = Unreachable(f"no answer from {where}: {in_words(reply)}{f' ({tries} tries)' if tries > 1 else ''}")
    error.tries = tries
    raise error


def passes(reply: Reply) -> bool:
    """Tell whether the same request may fare better a little later."""
    if isinstance(reply, httpx.Response):
        return reply.status_code in PASSING_STATUSES
    lasting = isinstance(reply, httpx.UnsupportedProtocol | httpx.LocalProtocolError)
    return isinstance(reply, httpx.TransportError) and not lasting and lasting_cause(reply) is None


def lasting_cause(error: BaseException | None) -> str | None:
    """Find, under a connection error, the kind that no waiting mends: a name nobody knows, a bad certificate."""
    while error is not None:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME:
            return "no such host"
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({error.verify_message})"
        error = error.__cause__ or error.__context__
    return None


def pause_before_next(tries: int, reply: Reply) -> float:
    """Choose how long to wait: what the server asks for, else longer each time and never the same for two."""
    asked_s = read_retry_after(reply.headers.get("retry-after", "")) if isinstance(reply, httpx.Response) else None
    if asked_s is not None:
        return asked_s + random.uniform(0, FIRST_PAUSE_S)
    return random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(tries, 16)))


def read_retry_after(header: str) -> float | None:
    """Read `Retry-After`, which is seconds or a date, as seconds from now."""
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def in_words(reply: Reply) -> str:
    """Say what happened to a try."""
    if isinstance(reply, httpx.Response):
        return f"{reply.status_code} {reply.reason_phrase}".rstrip()
    if isinstance(reply, httpx.TimeoutException):
        return "it took too long"
    if isinstance(reply, httpx.ConnectError):
        return lasting_cause(reply) or str(reply).partition("] ")[2].lower() or str(reply) or "cannot connect"
    if isinstance(reply, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.DecodingError):
        return str(reply)
    return "the connection was cut"
