"""The retry policy, without I/O.

`retry_steps` is a generator that yields what to do next; Client and AsyncClient each perform the steps in their way.
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

from .errors import Unreachable

DEFAULT_DEADLINE_S = 60.0
RETRYABLE_STATUSES = (429, 502, 503, 504)
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0
SHORTEST_TIMEOUT_S = 0.05


@dataclass(frozen=True)
class SendRequest:
    """Step: send the request; reply with the response or the httpx error."""

    timeout_s: float


@dataclass(frozen=True)
class RenewToken:
    """Step: replace the identity token; reply with whether to send the request again with it."""


@dataclass(frozen=True)
class Pause:
    """Step: wait before the next try; the reason is for the log."""

    duration_s: float
    reason: str


@dataclass(frozen=True)
class Exchange:
    """The final response, the number of tries, and the round-trip time of the last one."""

    response: httpx.Response
    tries: int
    round_trip_ms: float


Step = SendRequest | RenewToken | Pause
Reply = httpx.Response | httpx.RequestError | bool | None


def retry_steps(
    url: str, deadline_s: float, clock: Callable[[], float] = time.monotonic
) -> Generator[Step, Reply, Exchange]:
    """Yield the steps of one request until it has a final response or the deadline leaves no time for another try.

    Args:
        url: The URL, for error messages.
        deadline_s: Time for all tries and pauses together, in seconds.
        clock: Returns the current time in seconds.

    Yields:
        The next step. The caller sends the reply to it.

    Returns:
        The final response, of any status.

    Raises:
        Unreachable: If the last try had no response.
    """
    ends_at, renewed = clock() + deadline_s, False
    for tries in count(1):
        # At most half of the deadline, so that one connection that hangs leaves time for another try.
        timeout_s = max(min(ends_at - clock(), deadline_s / 2), SHORTEST_TIMEOUT_S)
        sent_at = clock()
        reply = yield SendRequest(timeout_s)
        round_trip_ms = (clock() - sent_at) * 1000
        if isinstance(reply, httpx.Response) and reply.status_code in (401, 403) and not renewed:
            renewed = True
            if (yield RenewToken()):
                continue
        pause_s = pause_after(tries, reply)
        if not is_retryable(reply) or clock() + pause_s >= ends_at:
            break
        yield Pause(pause_s, describe_reply(reply))
    if isinstance(reply, httpx.Response):
        return Exchange(reply, tries, round_trip_ms)
    suffix = f" ({tries} tries)" if tries > 1 else ""
    raise Unreachable(f"no response from {url}: {describe_reply(reply)}{suffix}", tries=tries)


def is_retryable(reply: Reply) -> bool:
    """Return whether the same request may succeed later."""
    if isinstance(reply, httpx.Response):
        return reply.status_code in RETRYABLE_STATUSES
    if isinstance(reply, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return False
    return isinstance(reply, httpx.TransportError) and permanent_cause(reply) is None


def permanent_cause(error: BaseException | None) -> str | None:
    """Return why a connection error is permanent (unknown host, untrusted certificate), or None if it is transient."""
    while error is not None:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME:
            return "unknown host"
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the server's certificate is not trusted ({error.verify_message})"
        error = error.__cause__ or error.__context__
    return None


def pause_after(tries: int, reply: Reply) -> float:
    """Return how long to wait before the next try: `Retry-After`, else exponential backoff with full jitter.

    Args:
        tries: Number of tries so far, from 1.
        reply: The reply to the last one.

    Returns:
        The pause in seconds.
    """
    header = reply.headers.get("retry-after", "") if isinstance(reply, httpx.Response) else ""
    retry_after_s = parse_retry_after(header)
    if retry_after_s is not None:
        # Servers send the same value to all callers, which would otherwise return at the same moment.
        return retry_after_s + random.uniform(0, max(FIRST_PAUSE_S, retry_after_s / 4))
    return random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(tries, 16)))


def parse_retry_after(header: str) -> float | None:
    """Parse `Retry-After`, seconds or an HTTP date (RFC 9110, 10.2.3), into seconds from now; None if unreadable."""
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def describe_reply(reply: Reply) -> str:
    """Describe the outcome of one try for a message."""
    if isinstance(reply, httpx.Response):
        return f"{reply.status_code} {reply.reason_phrase}".rstrip()
    if isinstance(reply, httpx.ProxyError):
        return f"the proxy returned an error: {reply}"
    if isinstance(reply, httpx.TimeoutException):
        return "the request timed out"
    if isinstance(reply, httpx.ConnectError):
        return permanent_cause(reply) or str(reply).partition("] ")[2].lower() or str(reply) or "cannot connect"
    if isinstance(reply, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.DecodingError):
        return str(reply)
    return "the connection was closed"
