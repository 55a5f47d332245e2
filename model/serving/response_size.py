"""The platform's limit for a response, above which it sends an error of its own instead."""

from __future__ import annotations

from model.errors import ResponseTooLarge
from model.options import PHOTO_OUTPUTS, Options

SMALLER_FORMATS = {"png": ["format=webp", "format=jpeg"], "webp": ["format=jpeg"], "jpeg": []}


def check(size: int, limit_bytes: int, options: Options | None = None) -> None:
    """Refuse a response that is too large.

    Args:
        size: Bytes of the response's body.
        limit_bytes: The limit.
        options: The request's options; None if the route has none.

    Raises:
        ResponseTooLarge: If it is too large; the message names the options that help.
    """
    if size <= limit_bytes:
        return
    advice = []
    if options and options.output in PHOTO_OUTPUTS:
        advice += SMALLER_FORMATS[options.format]
    if options and options.size != "model":
        advice.append("size=model")
    remedy = f"ask for {' or '.join(advice)}" if advice else "send a smaller photo"
    raise ResponseTooLarge(f"the output has {size} bytes, more than the limit of {limit_bytes}; {remedy}")
