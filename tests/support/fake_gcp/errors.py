"""Errors, as Google's APIs return them."""

from __future__ import annotations

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


class ApiError(Exception):
    """An error response of an API.

    Attributes:
        status: HTTP status.
        message: Text for a human.
        details: google.rpc messages for a program.
    """

    def __init__(self, status: int, message: str, details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details or []

    def body(self) -> dict[str, Any]:
        """Return the JSON of google.rpc.Status."""
        name = STATUS_NAMES.get(self.status, "INTERNAL")
        details = {"details": self.details} if self.details else {}
        return {"error": {"code": self.status, "message": self.message, "status": name, **details}}


def permission_denied(permission: str) -> ApiError:
    """Return the error of a caller who lacks a permission."""
    reason = {"reason": "IAM_PERMISSION_DENIED", "domain": "iam.googleapis.com", "metadata": {"permission": permission}}
    text = f"Permission '{permission}' denied on resource (or it may not exist)."
    return ApiError(403, text, [{"@type": ERROR_INFO, **reason}])


def api_disabled(api: str, project: str) -> ApiError:
    """Return the error of an API that is not enabled in a project."""
    reason = {"@type": ERROR_INFO, "reason": "SERVICE_DISABLED"}
    text = f"{api} has not been used in project {project} before or it is disabled."
    return ApiError(403, text, [reason | {"domain": "googleapis.com", "metadata": {"service": api}}])


def organization_policy(text: str, constraint: str) -> ApiError:
    """Return the error of a request that an organization policy forbids."""
    violation = {"type": f"constraints/{constraint}", "subject": "orgpolicy:my-project", "description": text}
    failure = {"@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": [violation]}
    return ApiError(400, text, [failure])
