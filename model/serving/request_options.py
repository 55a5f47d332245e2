"""The options of a request, which may come in its query, its body and its header Accept."""

from __future__ import annotations

from collections.abc import Iterable

from werkzeug.datastructures import MIMEAccept

from model.errors import BadOption
from model.options import PHOTO_OUTPUTS, SHOWN_CHARS

# Query parameters of what is in front of the function: API Gateway's and Cloud Endpoints' API keys, the standard
# parameters of Google's APIs (https://cloud.google.com/apis/docs/system-parameters), Pub/Sub's and Eventarc's push
# endpoints, Identity-Aware Proxy, and the access keys of Azure Functions.
PLATFORM_NAMES = frozenset(
    {
        *("key", "api_key", "access_token", "oauth_token", "token", "quotaUser", "userIp", "prettyPrint", "alt"),
        *("fields", "callback", "$.xgafv", "__GCP_CloudEventsMode", "gcp-iap-mode", "authuser", "code", "clientId"),
    }
)
FORMAT_OF_MEDIA_TYPE = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpeg"}  # the first is the default


def option_values(
    query: Iterable[tuple[str, str]], body: Iterable[tuple[str, str]], accepted: MIMEAccept
) -> dict[str, str]:
    """Return the options of a request by name.

    Args:
        query: Names and values in the query, of which PLATFORM_NAMES are ignored.
        body: Names and values in the body.
        accepted: The media types that the client accepts, which choose the format of a photo if no option does.

    Raises:
        BadOption: If an option is given more than once with different values.
    """
    values: dict[str, str] = {}
    for name, value in (*((name, value) for name, value in query if name not in PLATFORM_NAMES), *body):
        if values.setdefault(name, value) != value:
            given = f"{values[name][:SHOWN_CHARS]!r} and {value[:SHOWN_CHARS]!r}"
            raise BadOption(f"the option {name[:SHOWN_CHARS]} is given twice, as {given}; give it once")
    if values.get("output") in PHOTO_OUTPUTS and "format" not in values:
        values["format"] = FORMAT_OF_MEDIA_TYPE[accepted.best_match(FORMAT_OF_MEDIA_TYPE, "image/png")]
    return values
