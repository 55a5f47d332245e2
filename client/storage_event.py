"""A photo in a bucket, as a storage event says that it came; and the function's receipt for one."""

from __future__ import annotations

import json
from typing import Any

import httpx

from client.errors import BadAnswer, NotAllowed, ServerError
from client.result import Answer, read_problem, read_server_timing
from client.retry import Exchange

FINALIZED = "google.cloud.storage.object.v1.finalized"
TAKEN = ("mask", "present", "gone")


def finalized(bucket: str, name: str, generation: int, size: int) -> dict[str, Any]:
    """Make the CloudEvent about one version of an object.

    size: bytes
    """
    return {
        "specversion": "1.0",
        "id": f"{bucket}/{name}#{generation}",
        "type": FINALIZED,
        "source": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        "subject": f"objects/{name}",
        "datacontenttype": "application/json",
        "data": {"bucket": bucket, "name": name, "generation": str(generation), "size": str(size)},
    }


def ask_event(event: dict[str, Any]) -> dict[str, Any]:
    """Describe the request that delivers an event."""
    headers = {"Content-Type": "application/cloudevents+json"}
    return {"method": "POST", "content": json.dumps(event).encode(), "headers": headers}


def read_receipt(exchange: Exchange) -> Answer:
    """Turn a response into what became of the event, or into the error that it is.

    raises: ServerError, where the photo will never have a mask; NotAllowed, where none of its bucket will; BadAnswer
    """
    response = exchange.response
    if response.status_code != 204:
        error = BadAnswer("the function takes no events") if response.is_success else read_problem(response)
    else:
        outcome, _, code = response.headers.get("x-outcome", "").partition("; code=")
        if outcome in TAKEN:
            return receipt(exchange, outcome)
        error = no_mask(outcome, code)
    error.tries = exchange.tries
    raise error


def receipt(exchange: Exchange, outcome: str) -> Answer:
    """Make an Answer that has no picture in it."""
    headers: httpx.Headers = exchange.response.headers
    return Answer(
        body=b"",
        media_type="",
        size_wh=None,
        server_timing_ms=read_server_timing(headers.get("server-timing", "")),
        model=headers.get("x-model", ""),
        cold_start=headers.get("x-cold-start", "") == "1",
        round_trip_ms=exchange.round_trip_ms,
        tries=exchange.tries,
        outcome=outcome,
    )


def no_mask(outcome: str, code: str) -> ServerError | BadAnswer:
    """Make the error of a photo that is done with and has no mask."""
    if outcome == "note":
        return ServerError(f"no mask can be made of it ({code}); its note among the masks says why", 204, code=code)
    if code == "other-bucket":
        return NotAllowed("the function takes no photos of this bucket (PHOTO_BUCKETS)", 204, code=code)
    if outcome == "refused":
        return ServerError(f"the function makes no mask of it ({code}); its log says why", 204, code=code)
    return BadAnswer("the function does not say what became of the event")
