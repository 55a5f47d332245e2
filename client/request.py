"""HTTP requests: built from what to send, with the token and the timeout of each try."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

from .options import SegmentOptions
from .upload import Upload


@dataclass(frozen=True)
class RequestSpec:
    """A request, apart from the token and the timeout, which differ from try to try.

    Attributes:
        method: HTTP method.
        headers: Headers beyond those of the HTTP client.
        query: Parameters to add to the URL's query.
        body: Content to send, if any.
    """

    method: str
    headers: dict[str, str]
    query: dict[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)

    def build(
        self, http: httpx.Client | httpx.AsyncClient, url: httpx.URL, timeout_s: float, token: str | None
    ) -> httpx.Request:
        """Build the HTTP request of one try.

        Args:
            http: The HTTP client that is to send it.
            url: The URL of the function.
            timeout_s: Limit for connecting, and for each read and write, in seconds.
            token: Identity token to send, if any.

        Returns:
            The request.
        """
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        return http.build_request(
            self.method,
            url.copy_merge_params(self.query),
            content=self.body,
            headers={**self.headers, **authorization},
            timeout=timeout_s,
        )


def photo_request(upload: Upload, options: SegmentOptions) -> RequestSpec:
    """Return the request that segments a photo."""
    return RequestSpec("POST", {"Content-Type": "application/octet-stream"}, options.query(), upload.body)


def model_request() -> RequestSpec:
    """Return the request for the description of the model."""
    return RequestSpec("GET", {"Accept": "application/json"})
