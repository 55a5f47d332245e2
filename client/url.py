"""The URL of the function: parsed and checked."""

from __future__ import annotations

import ipaddress
import re

import httpx

DEFAULT_URL = "http://127.0.0.1:8080"


def split_credentials(url: httpx.URL) -> tuple[httpx.URL, httpx.BasicAuth | None]:
    """Return a URL without its user name and password, which would appear in messages, and both as authentication."""
    if not url.userinfo:
        return url, None
    return url.copy_with(userinfo=b""), httpx.BasicAuth(url.username, url.password)


def hide_password(text: str) -> str:
    """Return a text, which may be an invalid URL, without what stands before an @."""
    return re.sub(r"((?:^|(?<=\s)|(?<=['\"]))(?:[A-Za-z][\w+.-]*:/*)?)\S*@", r"\1***@", text)


def parse_url(url: str) -> httpx.URL:
    """Parse the URL of a function.

    Args:
        url: An absolute URL with scheme http or https.

    Returns:
        The parsed URL.

    Raises:
        ValueError: If the URL is malformed, relative, or has another scheme.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise ValueError(f"invalid URL {hide_password(url)!r}: {hide_password(str(error))}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"invalid URL {hide_password(url)!r}: it must start with http:// or https:// and name a host")
    return parsed


def is_loopback(url: httpx.URL) -> bool:
    """Return whether a URL refers to this machine."""
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return url.host == "localhost" or url.host.endswith(".localhost")
