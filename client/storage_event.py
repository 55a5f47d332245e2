"""Cloud Storage events: the CloudEvent of a photo in a bucket, and the function's receipt for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .errors import BadResponse, NotAllowed, ServerError
from .request import RequestSpec
from .response import ResponseMetadata, parse_metadata, server_error
from .retry import Exchange

FINALIZED = "google.cloud.storage.object.v1.finalized"
EventOutcome = Literal["mask", "present", "gone"]
SUCCESSFUL_OUTCOMES: tuple[str, ...] = get_args(EventOutcome)


@dataclass(frozen=True, kw_only=True)
class EventReceipt(ResponseMetadata):
    """The function's receipt for a storage event that it processed.

    Attributes:
        outcome: `X-Outcome`: "mask" if the mask was written, "present" if it existed already, "gone" if the photo has
            been replaced or deleted.
        server_timing_ms: `Server-Timing`: milliseconds by stage.
        model: `X-Model`: name, version and checksum of the model.
        cold_start: `X-Cold-Start`: whether this was the first mask of the server instance.
        round_trip_ms: Time of the last try alone, in milliseconds.
        tries: Number of times that the request was sent.
    """

    outcome: EventOutcome


def finalized_event(bucket: str, name: str, generation: int, size: int) -> dict[str, Any]:
    """Return the CloudEvent that Eventarc sends when an object has been written.

    Args:
        bucket: Name of the bucket.
        name: Name of the object.
        generation: Generation number of the object.
        size: Size of the object in bytes.

    Returns:
        The event in CloudEvents 1.0 structured JSON form.
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


def event_request(event: dict[str, Any]) -> RequestSpec:
    """Return the request that delivers an event."""
    return RequestSpec("POST", {"Content-Type": "application/cloudevents+json"}, body=json.dumps(event).encode())


def parse_receipt(exchange: Exchange) -> EventReceipt:
    """Parse the response to an event.

    Args:
        exchange: The final response.

    Returns:
        The receipt.

    Raises:
        ServerError: If the photo will never have a mask, or the status is an error.
        NotAllowed: If no photo of the bucket will have a mask, or the status is 401 or 403.
        BadResponse: If the response does not state the outcome of the event.
    """
    response = exchange.response
    if response.is_success and response.status_code != 204:
        raise BadResponse("this function does not accept storage events", tries=exchange.tries)
    if response.status_code != 204:
        raise server_error(exchange)
    outcome, _, code = response.headers.get("x-outcome", "").partition("; code=")
    if outcome in SUCCESSFUL_OUTCOMES:
        return EventReceipt(outcome=outcome, **parse_metadata(exchange))
    raise _no_mask_error(outcome, code, exchange.tries)


def _no_mask_error(outcome: str, code: str, tries: int) -> ServerError | BadResponse:
    """Return the exception for an event that was processed without giving a mask."""
    if outcome == "note":
        detail = f"no mask is possible ({code}); see its error file in the mask bucket"
        return ServerError(detail, 204, code=code, tries=tries)
    if code == "other-bucket":
        detail = "the function does not accept photos from this bucket; add it to PHOTO_BUCKETS"
        return NotAllowed(detail, 204, code=code, tries=tries)
    if outcome == "refused":
        detail = f"the function rejected the event ({code}); see the function's log"
        return ServerError(detail, 204, code=code, tries=tries)
    return BadResponse("the function did not state the outcome of the event", tries=tries)
