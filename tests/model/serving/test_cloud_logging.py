from __future__ import annotations

import json

import pytest

from model.serving import cloud_logging

TRACE = "105445aa7843bc8bf206b12000100000"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("cloud_context", "traceparent", "span"),
    [
        (f"{TRACE}/26;o=1", "", "000000000000001a"),
        (TRACE, "", None),
        ("", TRACEPARENT, "00f067aa0ba902b7"),
        ("nonsense", TRACEPARENT, "00f067aa0ba902b7"),
        (f"{TRACE}/1", TRACEPARENT, "0000000000000001"),
    ],
)
def test_the_trace_is_read_from_either_header(cloud_context: str, traceparent: str, span: str | None) -> None:
    fields = cloud_logging.trace_fields(cloud_context, traceparent, "project")
    assert fields["logging.googleapis.com/trace"] == f"projects/project/traces/{TRACE}"
    assert fields.get("logging.googleapis.com/spanId") == span


def test_invalid_headers_give_no_trace() -> None:
    assert cloud_logging.trace_fields("", "nonsense", "project") == {}


@pytest.mark.parametrize(("status", "severity"), [(200, "INFO"), (404, "WARNING"), (503, "WARNING"), (500, "ERROR")])
def test_the_severity_of_a_request_depends_on_its_status(
    capsys: pytest.CaptureFixture[str], status: int, severity: str
) -> None:
    cloud_logging.write_request("GET", "/", status, (0, 2), 1.5, {}, code="x")
    line = json.loads(capsys.readouterr().err)
    assert (line["severity"], line["code"]) == (severity, "x")
    assert line["httpRequest"]["latency"] == "0.001500s"
