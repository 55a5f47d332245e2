"""Error responses in the format of RFC 9457, application/problem+json."""

from __future__ import annotations

import json

CONTENT_TYPE = "application/problem+json"


def body(status: int, title: str, code: str, detail: str) -> bytes:
    """Return the body of an error response.

    Args:
        status: The HTTP status.
        title: Its name.
        code: The error code, such as "not-a-photo".
        detail: What is wrong, and what to do.
    """
    content = {"type": f"urn:silhouette:{code}", "title": title, "status": status, "detail": detail, "code": code}
    return json.dumps(content).encode()


def http_response(status: int, reason: str, detail: str) -> bytes:
    """Return a whole response to a request that the server could not parse, so that no route answers it.

    Args:
        status: The HTTP status.
        reason: Its name, of which the error code is made.
        detail: What is wrong; empty if there is no more than the reason.
    """
    content = body(status, reason, reason.lower().replace(" ", "-"), detail or reason)
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: {CONTENT_TYPE}\r\n"
    return f"{head}X-Content-Type-Options: nosniff\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
