"""What can go wrong between a photo and its mask, as the client sees it.

ClientError
|- PhotoError     the photo cannot be read, or cannot be sent
|- ServerError    the server said no, and said why
|  `- NotAllowed  it wants an identity token, or a better one (401, 403)
|- Unreachable    no answer came: refused, cut, or too late
|- BadAnswer      an answer came that is not what the contract promises
|- AuthError      no identity token could be had
`- Stopped        the caller asked to stop while a try was waiting for its turn
"""

from __future__ import annotations


class ClientError(Exception):
    """Be the parent of every error this package raises.

    detail: one plain sentence
    tries: how often the photo was sent before this came of it
    """

    code = "client-error"
    tries = 1

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class PhotoError(ClientError):
    code = "photo-error"


class ServerError(ClientError):
    """Carry what the server's problem+json said."""

    def __init__(self, detail: str, status: int, title: str = "", code: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.code = code or f"http-{status}"


class NotAllowed(ServerError):
    pass


class Unreachable(ClientError):
    code = "unreachable"


class BadAnswer(ClientError):
    code = "bad-answer"


class AuthError(ClientError):
    code = "no-token"


class Stopped(ClientError):
    code = "stopped"
