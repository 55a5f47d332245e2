"""The exceptions of the client.

ClientError
|- PhotoError     The photo cannot be read, or cannot be prepared for the upload.
|- ServerError    The server rejected the request and gave a reason.
|  `- NotAllowed  An identity token is missing or was rejected (401, 403).
|- Unreachable    No response arrived: connection refused, closed, or timed out.
|- BadResponse    The response does not follow the HTTP API.
|- AuthError      No identity token, or no credentials, could be obtained.
|- EnvironmentVariableError  A variable for proxies or certificates has an unusable value.
`- Stopped        The caller set `stop` while the client waited to retry.
"""

from __future__ import annotations


class ClientError(Exception):
    """Base class of every exception that this package raises.

    Attributes:
        detail: What is wrong, as one sentence.
        code: Short identifier of the error, as written to the command line's log.
        tries: Number of times that the request had been sent.
    """

    code = "client-error"

    def __init__(self, detail: str, *, tries: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.tries = tries


class PhotoError(ClientError):
    """The photo cannot be read, or cannot be prepared for the upload."""

    code = "photo-error"


class ServerError(ClientError):
    """The server rejected the request.

    Attributes:
        status: HTTP status code.
        title: `title` of the problem+json body (RFC 9457), else the reason phrase.
        code: `code` of the problem+json body, else `http-STATUS`.
    """

    def __init__(self, detail: str, status: int, title: str = "", code: str = "", *, tries: int = 1) -> None:
        super().__init__(detail, tries=tries)
        self.status = status
        self.title = title
        self.code = code or f"http-{status}"


class NotAllowed(ServerError):
    """An identity token is missing or was rejected (401, 403), or the function does not accept photos from a bucket."""


class Unreachable(ClientError):
    """No response arrived before the deadline."""

    code = "unreachable"


class BadResponse(ClientError):
    """The response does not follow the HTTP API."""

    code = "bad-answer"  # as in the first version's log lines


class AuthError(ClientError):
    """No identity token, or no credentials, could be obtained."""

    code = "no-token"


class EnvironmentVariableError(ClientError):
    """An environment variable, such as ALL_PROXY or SSL_CERT_FILE, has a value with which no request can be sent."""

    code = "environment"


class Stopped(ClientError):
    """The caller set `stop` while the client waited to retry."""

    code = "stopped"
