"""What the sync and the async client share: the request of one try, and reading what is not a picture."""

from __future__ import annotations

from typing import Any

import httpx

from client.errors import BadAnswer
from client.options import Question
from client.result import read_problem
from client.retry import Exchange, Send
from client.upload import Parcel

# As many connections as requests in flight: whoever starts the requests sets their number.
NO_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


def ask_photo(parcel: Parcel, question: Question) -> dict[str, Any]:
    """Describe the request that sends a photo."""
    headers = {"Content-Type": "application/octet-stream"}
    return {"method": "POST", "content": parcel.body, "params": question.parameters(), "headers": headers}


def ask_model() -> dict[str, Any]:
    """Describe the request that asks about the model."""
    return {"method": "GET", "headers": {"Accept": "application/json"}}


def build(
    http: httpx.Client | httpx.AsyncClient, address: httpx.URL, asked: dict[str, Any], step: Send, token: str | None
) -> httpx.Request:
    """Build the request of one try, with the token of the moment."""
    headers = {**asked["headers"], **({"Authorization": f"Bearer {token}"} if token else {})}
    return http.build_request(
        asked["method"],
        address.copy_merge_params(asked.get("params", {})),
        content=asked.get("content"),
        headers=headers,
        timeout=step.timeout_s,
    )


def read_model(exchange: Exchange) -> dict[str, Any]:
    """Read what the function says about its model.

    raises: ServerError, NotAllowed, BadAnswer
    """
    if exchange.response.status_code != 200:
        raise read_problem(exchange.response)
    try:
        said = exchange.response.json()
    except ValueError as error:
        raise BadAnswer("what should describe the model is not JSON") from error
    if not isinstance(said, dict):
        raise BadAnswer("what should describe the model is not a JSON object")
    return said
