"""The URL of the function: parsed and checked."""

from __future__ import annotations

import ipaddress

import httpx

DEFAULT_URL = "http://127.0.0.1:8080"


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
    except httpx.InvalidURL as error:
        raise ValueError(f"invalid URL {url!r}: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"invalid URL {url!r}: it must start with http:// or https:// and name a host")
    return parsed


def is_loopback(url: httpx.URL) -> bool:
    """Return whether a URL refers to this machine."""
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return url.host == "localhost" or url.host.endswith(".localhost")
