from __future__ import annotations

import json

import flask
import httpx
import pytest

from tests.support.function_process import serving


def test_an_internal_error_is_logged_as_one_json_line(capfd: pytest.CaptureFixture[str]) -> None:
    import main

    capfd.readouterr()  # discard what the runtime prints when it is imported
    trace = "0af7651916cd43dd8448eb211c80319c"
    with flask.Flask("x").test_request_context("/?secret=1", headers={"X-Cloud-Trace-Context": f"{trace}/5;o=1"}):
        main.log_error(ValueError("boom"))
    text = capfd.readouterr().err
    line = json.loads(text)
    assert line["severity"] == "ERROR"
    assert "ValueError: boom" in line["message"]
    assert line["@type"].endswith("ReportedErrorEvent")
    assert line["context"]["httpRequest"] == {"method": "GET", "url": "/", "responseStatusCode": 500}
    assert line["logging.googleapis.com/trace"] == trace
    assert "secret" not in text


def test_each_request_is_logged_as_one_line_with_its_trace_and_without_private_data(
    capfd: pytest.CaptureFixture[str], sample: bytes
) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    cloud = "105445aa7843bc8bf206b12000100000/1;o=1"
    with serving(GOOGLE_CLOUD_PROJECT="project", K_SERVICE="pets") as url, httpx.Client(base_url=url) as client:
        client.post("/?threshold=0.625", content=sample, headers={"traceparent": parent})
        client.post("/", content=sample[:5000], headers={"X-Cloud-Trace-Context": cloud, "User-Agent": "secret-agent"})
        client.post("/", content=b"secret words", headers={"traceparent": "nonsense"})
    text = capfd.readouterr().err
    for word in ("secret", "0.625", "127.0.0.1:"):
        assert word not in text
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    good, broken, nonsense = [line for line in lines if line["httpRequest"]["requestMethod"] == "POST"]
    assert (good["severity"], broken["severity"]) == ("INFO", "WARNING")
    assert good["httpRequest"]["status"] == 200
    assert good["httpRequest"]["requestSize"] == str(len(sample))
    assert good["photo"] == {"width": 451, "height": 300}
    assert list(good["stages_ms"]) == ["wait", "decode", "infer", "mask", "encode"]
    assert good["model"].startswith("pets/")
    assert good["logging.googleapis.com/trace"] == "projects/project/traces/4bf92f3577b34da6a3ce929d0e0e4736"
    assert good["logging.googleapis.com/spanId"] == "00f067aa0ba902b7"
    assert (broken["code"], broken["httpRequest"]["status"]) == ("broken-photo", 422)
    assert broken["logging.googleapis.com/trace"] == "projects/project/traces/105445aa7843bc8bf206b12000100000"
    assert broken["logging.googleapis.com/spanId"] == "0000000000000001"
    assert "logging.googleapis.com/trace" not in nonsense
