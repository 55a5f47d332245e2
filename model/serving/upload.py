"""The photo and the options in a request's body: raw bytes, multipart/form-data, or JSON with the photo in base64."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from werkzeug.exceptions import BadRequest
from werkzeug.formparser import FormDataParser

from model.errors import BadOption, EmptyBody
from model.options import OPTION_NAMES

PHOTO_FIELDS = ("file", "image")
MAX_JSON_VALUES = 100  # far above what a request needs; a body of millions would need gigabytes once parsed
ADDRESS_KEYS = re.compile(r".*(url|uri|href|link)", re.IGNORECASE)
ADDRESS = re.compile(r"\s*(https?|gs|s3|ftp|file)://", re.IGNORECASE)
STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")  # from that of RFC 4648, section 5, to that of section 4
NO_ADDRESSES = "the function fetches no addresses, since they could lead into a private network; send the photo itself"


class Upload(NamedTuple):
    """The content of a request's body.

    Attributes:
        photo: The photo's bytes; empty if the body is.
        options: Names and values of the options in the body.
    """

    photo: bytes
    options: Sequence[tuple[str, str]] = ()


def parse(body: bytes, media_type: str, parameters: Mapping[str, str]) -> Upload:
    """Parse a request's body.

    Args:
        body: The body.
        media_type: Its media type in lower case, without parameters. All but forms and JSON are the photo itself.
        parameters: The parameters of the media type.

    Raises:
        EmptyBody: If a form or JSON contains no photo.
        BadOption: If JSON has an unknown key, or a value that is no option's.
        BadRequest: If a form or JSON is malformed.
    """
    if media_type == "multipart/form-data":
        return _parse_form(body, media_type, parameters)
    if media_type == "application/json" or media_type.endswith("+json"):
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return Upload(body)  # a photo with a wrong Content-Type
        return _parse_json(text)
    return Upload(body)


def _parse_form(body: bytes, media_type: str, parameters: Mapping[str, str]) -> Upload:
    """Parse a form. Fields that are neither the photo nor an option are ignored: many upload widgets add their own."""
    boundary = parameters.get("boundary", "").encode("latin-1", "replace")
    if not boundary:
        raise EmptyBody("multipart/form-data has no boundary; do not set Content-Type, the HTTP library adds it")
    if boundary not in body:
        raise EmptyBody("the body is not a form with the boundary of its Content-Type; let the HTTP library encode it")
    # By default, werkzeug writes large fields to temporary files.
    parser = FormDataParser(stream_factory=lambda *_, **__: io.BytesIO())
    _, form, files = parser.parse(io.BytesIO(body), media_type, len(body), dict(parameters))
    # A form in a browser sends an empty text for what was not filled in.
    options = [(name, value) for name in OPTION_NAMES for value in form.getlist(name) if value]
    for name in PHOTO_FIELDS:
        if name in files:
            return Upload(bytes(files[name].read()), options)
    for name in PHOTO_FIELDS:
        if name in form:
            hint = (
                NO_ADDRESSES if ADDRESS.match(form[name]) else f"send a file with a file name (curl: {name}=@photo.jpg)"
            )
            raise EmptyBody(f"the form field {name} is text, not a file; {hint}")
    fields = ", ".join(repr((name or "")[:40]) for name in [*form, *files]) or "none"
    raise EmptyBody(f"the form has no file in the field {' or '.join(PHOTO_FIELDS)}; its fields: {fields}")


def _parse_json(text: str) -> Upload:
    if sum(map(text.count, ",[{")) > MAX_JSON_VALUES:
        raise BadRequest(
            f"the JSON has more than {MAX_JSON_VALUES} values; send an object of the photo and the options"
        )
    try:
        values = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not valid JSON, although its Content-Type is JSON") from error
    if not isinstance(values, dict):
        raise BadRequest('the JSON is not an object such as {"image": "<base64>", "output": "mask"}')
    photos = [values.pop(name) for name in PHOTO_FIELDS if name in values]
    options = [(name, _option_value(name, value)) for name, value in values.items() if value is not None]
    if not photos:
        raise EmptyBody('the JSON contains no photo; send it in base64: {"image": "<base64>"}')
    return Upload(_decode_photo(photos[0]), options)


def _option_value(name: str, value: Any) -> str:
    if ADDRESS_KEYS.fullmatch(name):
        raise BadOption(f"unknown key {name[:40]!r}: {NO_ADDRESSES} in base64, as image")
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return str(value)
    raise BadOption(f"the value of {name[:40]!r} must be a string or a number")


def _decode_photo(value: Any) -> bytes:
    """Decode base64, of either alphabet and with or without padding, or a data URL."""
    if not isinstance(value, str):
        raise BadRequest("image must be a string: the photo in base64, or a data URL")
    if ADDRESS.match(value):
        raise BadRequest(f"image is an address; {NO_ADDRESSES} in base64")
    if value[:5].lower() == "data:":
        header, _, value = value.partition(",")
        if not header.lower().endswith(";base64"):
            raise BadRequest("image is a data URL without ;base64; encode the photo in base64")
    try:
        data = value.encode("ascii").translate(STANDARD_ALPHABET, b" \t\r\n").rstrip(b"=")
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except ValueError as error:  # binascii.Error and UnicodeEncodeError are ones
        raise BadRequest("image is not valid base64") from error
