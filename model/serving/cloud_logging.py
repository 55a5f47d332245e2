"""Lines as Cloud Logging and Error Reporting read them: one JSON object each, on standard error.

Fields with a meaning of their own: https://cloud.google.com/logging/docs/structured-logging and
https://cloud.google.com/error-reporting/docs/formatting-error-messages. Of a request no line holds more than its
method, path, sizes and times: no photo, no query, no address.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from typing import Any

CLOUD_TRACE = re.compile(r"(?P<trace>[0-9a-f]{32})(?:/(?P<span>\d{1,20}))?(?:;o=\d)?")  # X-Cloud-Trace-Context
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}")  # W3C
REPORTED = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent"


def write(severity: str, message: str, **fields: Any) -> None:
    """Write one line."""
    print(json.dumps({"severity": severity, "message": message, **fields}), file=sys.stderr, flush=True)


def request(
    method: str,
    path: str,
    status: int,
    sizes_bytes: tuple[int, int],
    took_ms: float,
    trace: dict[str, str],
    **about: Any,
) -> None:
    """Write the line of a request that was answered.

    sizes_bytes: of the request's body and the answer's
    about: more of what is known of it: code, model, photo, stages_ms
    """
    severity = "ERROR" if status == 500 else "WARNING" if status >= 400 else "INFO"
    http = {
        "requestMethod": method,
        "requestUrl": path,
        "status": status,
        "requestSize": str(sizes_bytes[0]),
        "responseSize": str(sizes_bytes[1]),
        "latency": f"{took_ms / 1000:.6f}s",
    }
    write(severity, f"{method} {path} {status} in {took_ms:.1f} ms", httpRequest=http, **trace, **about)


def error(error: Exception, method: str, path: str, service: tuple[str, str], trace: dict[str, str]) -> None:
    """Write an error that is ours, once, with its stack trace and where it came up.

    service: its name and version
    """
    write(
        "ERROR",
        "".join(traceback.format_exception(error)),
        **{"@type": REPORTED},
        serviceContext={"service": service[0], "version": service[1]},
        context={"httpRequest": {"method": method, "url": path, "responseStatusCode": 500}},
        **trace,
    )


def trace(cloud_context: str, traceparent: str, project: str) -> dict[str, str]:
    """Tell which trace a request belongs to, as fields of a line; none where its headers name none.

    cloud_context: X-Cloud-Trace-Context, which Cloud Run sets
    traceparent: of https://www.w3.org/TR/trace-context/
    project: id of the Google Cloud project, where it is known
    """
    found = CLOUD_TRACE.fullmatch(cloud_context)
    span = format(int(found["span"]), "016x") if found and found["span"] else ""
    if found is None:
        found = TRACEPARENT.fullmatch(traceparent)
        span = found["span"] if found else ""
    if found is None:
        return {}
    name = f"projects/{project}/traces/{found['trace']}" if project else found["trace"]
    return {"logging.googleapis.com/trace": name} | ({"logging.googleapis.com/spanId": span} if span else {})
