"""Response headers that protect browsers: security headers, the policy of the page, and CORS."""

from __future__ import annotations

import base64
import hashlib
import re

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
EXPOSED_HEADERS = {"Access-Control-Expose-Headers": "Retry-After, Server-Timing, X-Cold-Start, X-Model"}
PREFLIGHT_HEADERS = {"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Max-Age": "3600"}
DEFAULT_ALLOWED_HEADERS = "Authorization, Content-Type"
HEADER_NAMES = re.compile(r"[\w!#$%&'*+.^`|~, -]{1,1000}", re.ASCII)  # RFC 9110, section 5.1


def page_policy(html: bytes) -> str:
    """Return the Content-Security-Policy of a page: only its own inline scripts and styles, and its own server.

    Args:
        html: The page.
    """
    sources = ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
    for tag in ("script", "style"):
        for inline in re.findall(f"<{tag}>(.*?)</{tag}>".encode(), html, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(inline).digest()).decode()
            sources.append(f"{tag}-src 'sha256-{digest}'")
    return "; ".join([*sources, "img-src 'self' blob: data:", "connect-src 'self'"])


def cors_headers(
    method: str, origin: str, allowed_origins: tuple[str, ...], requested_headers: str = ""
) -> dict[str, str]:
    """Return the headers that let a page of another origin read a response.

    Args:
        method: The request's method.
        origin: The request's header Origin; empty if there is none.
        allowed_origins: Origins that may read responses; "*" for any.
        requested_headers: A preflight's header Access-Control-Request-Headers. All are allowed: an allowed page may
            send a header of its own, or one that its tracing adds.

    Returns:
        The headers; none if the origin is not allowed.
    """
    if not origin or not {"*", origin} & {*allowed_origins}:
        return {}
    if method != "OPTIONS":
        return {"Access-Control-Allow-Origin": origin, **EXPOSED_HEADERS}
    allowed = requested_headers if HEADER_NAMES.fullmatch(requested_headers) else DEFAULT_ALLOWED_HEADERS
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Headers": allowed, **PREFLIGHT_HEADERS}
