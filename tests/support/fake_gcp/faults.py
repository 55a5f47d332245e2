"""Errors that tests inject into the responses of the APIs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ApiError, organization_policy, permission_denied

UNLIMITED = 1_000_000


@dataclass
class Fault:
    """An error in place of the response to matching requests.

    Attributes:
        service: The API: the first label of its host, as in cloudfunctions, run or iam.
        request: Regular expression for "METHOD /path".
        error: The error that is returned.
        remaining: How many more requests fail.
    """

    service: str
    request: str
    error: ApiError
    remaining: int = UNLIMITED

    def applies_to(self, service: str, request: str) -> bool:
        """Return whether a request fails, and count it if so."""
        if self.remaining <= 0 or service != self.service or not re.search(self.request, request):
            return False
        self.remaining -= 1
        return True


def denied(service: str, request: str, permission: str) -> Fault:
    """Refuse requests because the caller lacks a permission."""
    return Fault(service, request, permission_denied(permission))


def forbidden(service: str, request: str, text: str, constraint: str) -> Fault:
    """Refuse requests because an organization policy forbids them."""
    return Fault(service, request, organization_policy(text, constraint))


def eventarc_not_propagated() -> Fault:
    """Refuse a trigger once, as in a project that uses Eventarc for the first time."""
    text = "Permission denied while using the Eventarc Service Agent. It may take a few minutes to be propagated."
    return Fault("eventarc", "^POST .*/triggers$", ApiError(403, text), remaining=1)


def account_not_propagated(email: str) -> Fault:
    """Refuse a new function once because its service account was created a moment ago."""
    error = ApiError(400, f"Service account {email} does not exist.")
    return Fault("cloudfunctions", "^POST .*/functions$", error, remaining=1)


def transient_503(service: str, request: str) -> Fault:
    """Fail once with a transient error."""
    return Fault(service, request, ApiError(503, "The service is currently unavailable."), remaining=1)


def quota_exceeded() -> Fault:
    """Refuse deployments because a quota of the project is exhausted."""
    text = "Quota exceeded for quota metric 'Build and Deploy requests' and limit 'Requests per minute per region'."
    return Fault("cloudfunctions", r"^(POST|PATCH) .*/functions(/|$)", ApiError(429, text))


def etag_conflict() -> Fault:
    """Refuse a policy that somebody else changed at the same time."""
    text = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."
    return Fault("run", "^POST .*:setIamPolicy", ApiError(409, text))
