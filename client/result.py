"""The result of a segmentation request."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field

from PIL import Image

from .errors import BadResponse
from .options import SegmentOptions
from .photo import DECODE_ERRORS
from .response import ResponseMetadata, parse_metadata, response_url, server_error
from .retry import Exchange

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class SegmentResult(ResponseMetadata):
    """The result of a segmentation request.

    Attributes:
        body: The response body unchanged, or the enlarged PNG if the photo was reduced for the upload.
        media_type: "image/png", "image/webp", "image/jpeg" or "application/json".
        size_wh: Width and height of the image in body, in pixels; None for JSON.
        sent_wh: Width and height to which the photo was reduced for the upload; None if it was sent unchanged.
        server_timing_ms: `Server-Timing`: milliseconds by stage.
        model: `X-Model`: name, version and checksum of the model.
        cold_start: `X-Cold-Start`: whether this was the first mask of the server instance.
        round_trip_ms: Time of the last try alone, in milliseconds.
        tries: Number of times that the request was sent.
    """

    body: bytes = field(repr=False)
    media_type: str
    size_wh: tuple[int, int] | None
    sent_wh: tuple[int, int] | None = None


def parse_result(exchange: Exchange, options: SegmentOptions) -> SegmentResult:
    """Parse the response to a segmentation request.

    Args:
        exchange: The final response.
        options: The options of the request, which determine the expected media type.

    Returns:
        The result, with the body unchanged.

    Raises:
        ServerError: If the status is not 200; NotAllowed for 401 and 403.
        BadResponse: If the media type is wrong, or the body is not of that type.
    """
    response = exchange.response
    if response.status_code != 200:
        raise server_error(exchange)
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != options.media_type:
        received = media_type or "no Content-Type"
        raise BadResponse(
            f"expected {options.media_type} from {response_url(response)}, got {received}", tries=exchange.tries
        )
    size_wh = None if options.output == "json" else image_size_wh(response.content, media_type)
    return SegmentResult(body=response.content, media_type=media_type, size_wh=size_wh, **parse_metadata(exchange))


def image_size_wh(body: bytes, media_type: str) -> tuple[int, int]:
    """Return width and height from the header of an image.

    Raises:
        BadResponse: If the body is not an image of the media type.
    """
    if media_type == "image/png":
        return png_size_wh(body)
    try:
        with Image.open(io.BytesIO(body), formats=[media_type.partition("/")[2].upper()]) as image:
            return image.size
    except DECODE_ERRORS as error:
        raise BadResponse(f"the response has type {media_type} but is not such an image") from error


def png_size_wh(body: bytes) -> tuple[int, int]:
    """Return width and height from the header of a PNG.

    Raises:
        BadResponse: If the body is not a PNG.
    """
    if len(body) < 24 or not body.startswith(PNG_SIGNATURE):
        raise BadResponse("the response has type image/png but is not a PNG")
    width, height = struct.unpack(">II", body[16:24])
    return width, height
