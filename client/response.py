"""What all responses have in common: metadata in the headers, and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from .errors import BadResponse, NotAllowed, ServerError
from .retry import Exchange

LONGEST_DETAIL_CHARS = 300


@dataclass(frozen=True, kw_only=True)
class ResponseMetadata:
    """What the headers of a response say, and how the request went.

    Attributes:
        server_timing_ms: `Server-Timing`: milliseconds by stage.
        model: `X-Model`: name, version and checksum of the model.
        cold_start: `X-Cold-Start`: whether this was the first mask of the server instance.
        round_trip_ms: Time of the last try alone, in milliseconds.
        tries: Number of times that the request was sent.
    """

    server_timing_ms: dict[str, float]
    model: str
    cold_start: bool
    round_trip_ms: float
    tries: int = 1


def parse_metadata(exchange: Exchange) -> dict[str, Any]:
    """Return the fields of ResponseMetadata."""
    headers: httpx.Headers = exchange.response.headers
    return {
        "server_timing_ms": parse_server_timing(headers.get("server-timing", "")),
        "model": headers.get("x-model", ""),
        "cold_start": headers.get("x-cold-start", "") == "1",
        "round_trip_ms": exchange.round_trip_ms,
        "tries": exchange.tries,
    }


def parse_server_timing(header: str) -> dict[str, float]:
    """Parse `decode;dur=3.1, infer;dur=15` into milliseconds by stage; malformed entries are ignored."""
    stages: dict[str, float] = {}
    for entry in header.split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            try:
                if key.strip().lower() == "dur":
                    stages[name] = float(value.strip().strip('"'))
            except ValueError:
                continue
    return stages


def parse_model(exchange: Exchange) -> dict[str, Any]:
    """Parse the description of the model.

    Raises:
        ServerError: If the status is not 200; NotAllowed for 401 and 403.
        BadResponse: If the body is not a JSON object.
    """
    if exchange.response.status_code != 200:
        raise server_error(exchange)
    try:
        description = exchange.response.json()
    except ValueError as error:
        raise BadResponse("the model description is not JSON", tries=exchange.tries) from error
    if not isinstance(description, dict):
        raise BadResponse("the model description is not a JSON object", tries=exchange.tries)
    return description


def server_error(exchange: Exchange) -> ServerError:
    """Return the exception for an error response, with the detail of its problem+json body (RFC 9457) if it has one."""
    response = exchange.response
    problem = _problem_body(response)
    title = one_line(problem.get("title") or response.reason_phrase)
    detail = one_line(problem.get("detail") or problem.get("title") or _describe_status(response))
    error_class = NotAllowed if response.status_code in (401, 403) else ServerError
    return error_class(detail, response.status_code, title, one_line(problem.get("code") or ""), tries=exchange.tries)


def _problem_body(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object in the body, or an empty one."""
    if "json" not in response.headers.get("content-type", ""):
        return {}
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _describe_status(response: httpx.Response) -> str:
    """Describe an error response that has no problem+json body."""
    url = response_url(response)
    if response.is_redirect:
        return f"{url} redirects to {response.headers.get('location', 'another URL')}; use that URL instead"
    status = f"{url} returned {response.status_code} {response.reason_phrase}".rstrip()
    return f"{status}; a valid identity token is required" if response.status_code in (401, 403) else status


def response_url(response: httpx.Response) -> str:
    """Return the URL that a response came from, without the query."""
    return str(response.request.url.copy_with(query=None))


def one_line(value: object) -> str:
    """Return text of a server as one printable line of limited length."""
    text = " ".join(str(value).split())
    printable = "".join(letter for letter in text if letter.isprintable())
    return printable if len(printable) <= LONGEST_DETAIL_CHARS else printable[: LONGEST_DETAIL_CHARS - 3] + "..."
