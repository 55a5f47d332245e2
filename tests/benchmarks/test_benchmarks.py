"""The pure parts of the benchmarks, and one quick run of our server and the function that returns "ok"."""

from __future__ import annotations

import ast
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks import cold
from benchmarks.harness import many_classes, masks, percentiles, progress, sizes, venvs
from benchmarks.harness.http_exchange import Request, Response
from benchmarks.harness.lifecycle import rotate
from benchmarks.harness.options import MODEL, Options
from benchmarks.harness.percentiles import summary
from benchmarks.harness.server_process import ServerFailed
from benchmarks.harness.servers import COMPETITORS, SERVERS
from benchmarks.report import tables, targets
from benchmarks.report.publish import publish
from model.tflite.probe import probe
from tests.support.images import Encode

LEVEL = {
    "throughput": summary([90, 100, 110]),
    "p50_ms": 80.0,
    "p95_ms": 100.0,
    "p99_ms": 120.0,
    "correct": 9,
    "incorrect": 0,
}
LEVEL |= {"rejected": 0, "errors": {}, "pss_mb": summary([150.0]), "generator_cpu_ms": 0.1}
MACHINE = {"machine": {"busy_before": 0.0}, "quick": True, "absent": {"flask_tensorflow": "no wheel"}}
STEADY = {"requests": 1000, "failed": 0, "pss_mb": summary([170.0]), "idle_mb": {"200": 150, "1000": 151}}
STEADY |= {"growth": 0.0067, "curve": [[0, 110.0], [1000, 170.0]]}
CURVE = {"x": [1, 2, 3], "ms": [summary([n]) for n in (10, 20, 30)], "peak_mb": [summary([n]) for n in (90, 95, 100)]}
CURVE |= {
    "ms_line": percentiles.line([1, 2, 3], [10, 20, 30]),
    "peak_mb_line": percentiles.line([1, 2, 3], [90, 95, 100]),
}


def cold_start(name: str, ms: float) -> dict[str, Any]:
    """Return made-up results of a server's cold start."""
    result = {"title": SERVERS[name].title, "warm_ms": summary([9]), "pss_mb": summary([99])}
    return {**result, "cold_ms": summary([ms]), "response_bytes": 1500, "agreement": 1.0, "installed_mb": 155.0}


def photo_latency(name: str, megapixels: float, ours: float, naive: float) -> dict[str, Any]:
    """Return made-up results of a photo."""
    servers = {
        server: {"title": SERVERS[server].title, "ms": summary([ms])}
        for server, ms in (("ours", ours), ("naive", naive))
    }
    result = {"name": name, "megapixels": megapixels, "servers": servers, "floor_same_mask": True}
    return {**result, "stages_ms": {"infer": 7.0, "http": 2.0}, "floor_ms": {"decode": 10.0, "infer": 7.0}}


RESULTS: dict[str, dict[str, Any]] = {
    "cold": {
        **MACHINE,
        "photo": {"width": 600, "height": 400},
        "servers": {
            "ours": cold_start("ours", 290),
            "litserve": cold_start("litserve", 600),
            "ok": cold_start("ok", 200),
        },
        "source_zipped_mb": 5.9,
        "steps": {"NumPy": summary([50])},
    },
    "latency": {
        **MACHINE,
        "photos": [photo_latency("600x400-jpg", 0.24, 10, 15), photo_latency("4000x3000-jpg", 12, 18, 90)],
    },
    "load": {
        **MACHINE,
        "servers": {"ours": {"title": "Silhouette", "levels": {"1": LEVEL, "8": LEVEL}}},
        "steady": STEADY,
    },
    "growth": {**MACHINE, "megapixels": CURVE, "classes": CURVE},
}


def test_a_summary_is_the_median_and_the_range() -> None:
    assert summary([3, 1, 2]) == {"median": 2, "min": 1, "max": 3, "runs": 3}


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (95, 95), (99, 99), (100, 100), (0.5, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: int) -> None:
    assert percentiles.percentile(list(range(100, 0, -1)), percent) == value


def test_the_fit_of_points_on_a_line_is_exact() -> None:
    assert percentiles.line([1, 2, 5], [7, 9, 15]) == {"slope": 2, "intercept": 5, "r2": 1}


def test_the_progress_bar_shows_steps_and_time_left() -> None:
    assert progress.bar("cold", 1, 3, 10, "ours") == f"cold [{'#' * 10}{'.' * 20}] 1/3, 20 s left: ours"


def test_each_round_starts_with_another_server() -> None:
    assert [rotate("abc", turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]


def test_time_that_is_not_in_server_timing_is_http() -> None:
    response = Response(200, {"server-timing": "decode;dur=2.50, infer;dur=5.00"}, b"", 10)
    assert response.stages_ms == {"decode": 2.5, "infer": 5, "http": 2.5}


def test_a_request_is_serialised_with_its_length() -> None:
    head, _, body = Request("/", "image/jpeg", b"photo").to_bytes(80).partition(b"\r\n\r\n")
    assert b"Content-Length: 5" in head
    assert body == b"photo"


@pytest.mark.parametrize("name", RESULTS)
def test_all_rows_of_a_table_have_the_same_number_of_cells(name: str) -> None:
    parts = [part.strip() for part in tables.TABLES[name](RESULTS[name]).split("\n\n")]
    found = [part.splitlines() for part in parts if part.startswith("|")]
    assert found
    for rows in found:
        assert len(rows) > 2
        assert len({line.count("|") for line in rows}) == 1


def test_an_absent_competitor_is_named_with_the_reason() -> None:
    for name in ("cold", "latency", "load"):
        assert "absent: no wheel" in tables.TABLES[name](RESULTS[name]).replace("is absent", "absent")


def test_a_target_is_met_missed_or_not_measured() -> None:
    met = {target.figure: target.met for target in targets.compare(RESULTS)}
    assert met['cold start to first mask, relative to "ok"'] is True
    assert met["cold start, relative to LitServe"] is False
    assert met["cold start, relative to Flask + TensorFlow"] is None
    assert met["12-megapixel JPEG, relative to the naive function"] is True
    assert met["8 in flight: throughput, relative to 1"] is False
    assert met["1000 photos of 12 megapixels: growth of the idle PSS since 200 photos"] is True
    assert {target.met for target in targets.compare({})} == {None}


def test_the_tables_and_charts_are_written_beside_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, result in RESULTS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    publish(tmp_path)
    if any(tmp_path.glob("*.svg")):  # none where matplotlib cannot be installed
        assert {file.stem for file in tmp_path.glob("*.svg")} == set(RESULTS)
        for name in RESULTS:
            root = ElementTree.fromstring((tmp_path / f"{name}.svg").read_text())
            assert root[0].tag.endswith("title")
            assert len(root) > 2
    assert "| figure | measured | target | met |" in capsys.readouterr().out


def test_the_measured_source_is_what_is_deployed() -> None:
    files = {file.name for file in sizes.source_files()}
    assert {"main.py", "requirements.txt", "pets.tflite", "sample.jpg"} <= files
    assert not files & {"README.md", "Makefile", "train.py"}


def test_the_error_of_an_installer_has_no_url_and_no_path() -> None:
    errors = "noise\nERROR: no match at https://a.example/simple for /some/folder/tensorflow\n"
    assert venvs.last_error(errors) == "ERROR: no match at ... for ..."


def test_a_competitor_may_be_absent_but_not_our_server() -> None:
    servers = venvs.ServerSet([SERVERS["ours"], SERVERS["ok"]])
    servers.mark_absent(SERVERS["ok"], ServerFailed("it stopped"))
    assert servers.available == [SERVERS["ours"]]
    assert servers.absent == {"ok": "it stopped"}
    with pytest.raises(ServerFailed):
        servers.mark_absent(SERVERS["ours"], ServerFailed("it stopped"))


def test_a_wrong_mask_stops_the_run(encode: Encode) -> None:
    photo = encode(Image.new("1", (9, 9)), "PNG")
    with pytest.raises(masks.WrongMask):
        masks.check(SERVERS["ours"], photo + b"\0", photo)
    with pytest.raises(masks.WrongMask):
        masks.check(SERVERS["naive"], encode(Image.new("1", (9, 9), 1), "PNG"), photo)
    assert masks.check(SERVERS["naive"], photo, photo) == 1


@pytest.mark.parametrize("program", ["flask_tensorflow/app.py", "naive/main.py", "litserve/server.py"])
def test_the_constants_of_a_competitor_are_those_of_the_model_card(program: str) -> None:
    card = masks.card(MODEL)
    expected = {"MEAN": card["mean"][0], "STD": card["std"][0], "THRESHOLD": card["threshold"]}
    for node in ast.parse((COMPETITORS / program).read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            names = [name.id for name in node.targets[0].elts if isinstance(name, ast.Name)]
            assert ast.literal_eval(node.value) == tuple(expected[name] for name in names)
            return
    pytest.fail("no constants")


@pytest.mark.parametrize("classes", [2, 7, 150])
def test_a_model_of_any_number_of_classes_loads(tmp_path: Path, classes: int) -> None:
    assert probe(many_classes.write(tmp_path / "many.tflite", classes)).output.channels == classes


def test_a_quick_run_measures_our_server_and_the_function_that_returns_ok() -> None:
    result = cold.measure(Options(quick=True, only=("ok",), install=False))
    assert set(result["servers"]) == {"ours", "ok"}
    assert result["servers"]["ours"]["agreement"] == 1
    assert result["servers"]["ours"]["cold_ms"]["median"] > result["servers"]["ok"]["cold_ms"]["median"]
    assert next(iter(result["steps"])) == "Python"
    assert all(step["median"] > 0 for step in result["steps"].values())
    assert result["absent"] == dict.fromkeys(("flask_tensorflow", "litserve", "naive"), "not selected by --only")
