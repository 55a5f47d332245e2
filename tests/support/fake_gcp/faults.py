"""What can go wrong on demand: an answer given in place of the right one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
FOREVER = 1_000_000


class ApiError(Exception):
    """An error as Google's APIs answer it.

    status: of HTTP
    details: google.rpc messages that say more to a program
    """

    def __init__(self, status: int, message: str, details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details or []

    def body(self) -> dict[str, Any]:
        """Yield the JSON of google.rpc.Status."""
        name = STATUS_NAMES.get(self.status, "INTERNAL")
        details = {"details": self.details} if self.details else {}
        return {"error": {"code": self.status, "message": self.message, "status": name, **details}}


@dataclass
class Fault:
    """An error for the requests that look so, as many times as it lasts.

    service: the first label of the API's host: cloudfunctions, run, iam
    request: a regular expression for "METHOD /path"
    """

    service: str
    request: str
    error: ApiError
    times: int = FOREVER

    def strikes(self, service: str, request: str) -> bool:
        """Tell whether this request fails, and count it."""
        if self.times <= 0 or service != self.service or not re.search(self.request, request):
            return False
        self.times -= 1
        return True


def denied(service: str, request: str, permission: str) -> Fault:
    """Refuse a request for want of a permission."""
    reason = {"reason": "IAM_PERMISSION_DENIED", "domain": "iam.googleapis.com", "metadata": {"permission": permission}}
    text = f"Permission '{permission}' denied on resource (or it may not exist)."
    return Fault(service, request, ApiError(403, text, [{"@type": ERROR_INFO, **reason}]))


def disabled(api: str, project: str) -> ApiError:
    """Yield the error of an API that is not enabled."""
    reason = {"@type": ERROR_INFO, "reason": "SERVICE_DISABLED"}
    text = f"{api} has not been used in project {project} before or it is disabled."
    return ApiError(403, text, [reason | {"domain": "googleapis.com", "metadata": {"service": api}}])


def too_new() -> Fault:
    """Refuse a trigger once, as in a project that has just begun with Eventarc."""
    text = "Permission denied while using the Eventarc Service Agent. It may take a few minutes to be propagated."
    return Fault("eventarc", "^POST .*/triggers$", ApiError(403, text), times=1)


def passing_503(service: str, request: str) -> Fault:
    """Fail once, as any cloud does now and then."""
    return Fault(service, request, ApiError(503, "The service is currently unavailable."), times=1)


def no_quota() -> Fault:
    """Refuse a deploy because the project has used up a quota."""
    text = "Quota exceeded for quota metric 'Build and Deploy requests' and limit 'Requests per minute per region'."
    return Fault("cloudfunctions", r"^(POST|PATCH) .*/functions(/|$)", ApiError(429, text))


def etag_conflict() -> Fault:
    """Refuse a policy that somebody else changed in between."""
    text = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."
    return Fault("run", "^POST .*:setIamPolicy", ApiError(409, text))
