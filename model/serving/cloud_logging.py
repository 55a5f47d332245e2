"""Log lines for Cloud Logging and Error Reporting: one JSON object a line, on standard error.

The special fields are documented in https://cloud.google.com/logging/docs/structured-logging and
https://cloud.google.com/error-reporting/docs/formatting-error-messages. Of a request, a line contains only method,
path, sizes, durations and what the function derived from it: no photo, no query, no address.
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
    """Write one line.

    Args:
        severity: A LogSeverity: INFO, WARNING, ERROR or CRITICAL.
        message: What happened.
        fields: More fields of the line, as they go into JSON.
    """
    print(json.dumps({"severity": severity, "message": message, **fields}), file=sys.stderr, flush=True)


def write_request(
    method: str,
    path: str,
    status: int,
    sizes_bytes: tuple[int, int],
    latency_ms: float,
    trace: dict[str, str],
    **fields: Any,
) -> None:
    """Write the line of an answered request.

    Args:
        method: The request's method.
        path: The request's path, without the query.
        status: The response's status.
        sizes_bytes: Sizes of the request's and the response's body.
        latency_ms: Time from the start of the request to its response.
        trace: What `trace_fields` returned.
        fields: More fields of the line: code, model, photo, stages_ms, outcome.
    """
    severity = "ERROR" if status == 500 else "WARNING" if status >= 400 else "INFO"
    http_request = {
        "requestMethod": method,
        "requestUrl": path,
        "status": status,
        "requestSize": str(sizes_bytes[0]),
        "responseSize": str(sizes_bytes[1]),
        "latency": f"{latency_ms / 1000:.6f}s",
    }
    message = f"{method} {path} {status} in {latency_ms:.1f} ms"
    write(severity, message, httpRequest=http_request, **trace, **fields)


def write_error(error: Exception, method: str, path: str, service: tuple[str, str], trace: dict[str, str]) -> None:
    """Write an internal error with its stack trace, in the form that Error Reporting groups and reports.

    Args:
        error: The error.
        method: Method of the request that it occurred in.
        path: The request's path, without the query.
        service: Name and version of the service.
        trace: What `trace_fields` returned.
    """
    write(
        "ERROR",
        "".join(traceback.format_exception(error)),
        **{"@type": REPORTED},
        serviceContext={"service": service[0], "version": service[1]},
        context={"httpRequest": {"method": method, "url": path, "responseStatusCode": 500}},
        **trace,
    )


def trace_fields(cloud_context: str, traceparent: str, project: str) -> dict[str, str]:
    """Return the fields of a log line that link it to the request's trace.

    Args:
        cloud_context: The header X-Cloud-Trace-Context, which Cloud Run sets.
        traceparent: The header of https://www.w3.org/TR/trace-context/.
        project: Id of the Google Cloud project; empty if unknown.

    Returns:
        The fields; empty if neither header has a valid trace.
    """
    if match := CLOUD_TRACE.fullmatch(cloud_context):
        span = format(int(match["span"]), "016x") if match["span"] else ""
    elif match := TRACEPARENT.fullmatch(traceparent):
        span = match["span"]
    else:
        return {}
    name = f"projects/{project}/traces/{match['trace']}" if project else match["trace"]
    return {"logging.googleapis.com/trace": name} | ({"logging.googleapis.com/spanId": span} if span else {})
