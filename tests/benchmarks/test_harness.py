"""The harness of the benchmarks: statistics, requests, environments, masks, results and options."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.harness import many_classes, masks, options, percentiles, progress, results, sizes, venvs
from benchmarks.harness.http_exchange import Request, Response
from benchmarks.harness.lifecycle import rotate
from benchmarks.harness.options import MODEL, Options
from benchmarks.harness.percentiles import summary
from benchmarks.harness.server_process import ServerFailed
from benchmarks.harness.servers import COMPETITORS, SERVERS
from model.tflite.bundled import BUNDLED_MODEL
from model.tflite.probe import probe
from tests.support.images import Encode


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


def test_the_measured_source_is_what_is_deployed() -> None:
    files = {file.name for file in sizes.source_files()}
    assert {"main.py", "requirements.txt", BUNDLED_MODEL.name, "sample.jpg"} <= files
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
    for name in ("ours", "ours-float16"):
        with pytest.raises(masks.WrongMask):
            masks.check(SERVERS[name], photo + b"\0", photo)
    with pytest.raises(masks.WrongMask):
        masks.check(SERVERS["naive-int8"], encode(Image.new("1", (9, 9), 1), "PNG"), photo)
    assert masks.check(SERVERS["naive-int8"], photo, photo) == 1


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


def test_results_are_saved_with_each_innermost_object_on_a_line(tmp_path: Path) -> None:
    result = {"title": "a [b] {c}\nd", "ms": {"median": 1.5, "runs": 7}, "curve": [[0, 1.5], [1, 2.5]], "absent": {}}
    results.save(tmp_path, "cold", result)
    assert results.load(tmp_path) == {"cold": result}
    assert ' "ms": { "median": 1.5, "runs": 7 },\n' in (tmp_path / "cold.json").read_text()


def test_the_options_of_the_command_line_are_parsed() -> None:
    arguments = ["--quick", "--only", "flask_tensorflow,ok", "--no-install", "--flask-tensorflow-python", "python"]
    assert options.parse("cold", arguments) == Options(True, ("flask_tensorflow", "ok"), False, Path("python"))
    assert options.parse("cold", []) == Options()


def test_only_the_selected_servers_that_need_no_install_are_available() -> None:
    servers = venvs.prepare(SERVERS, Options(only=("litserve-int8", "ok"), install=False))
    assert [spec.name for spec in servers.available] == ["ours", "ok"]
    assert servers.absent["litserve-int8"] == "not installed (--no-install)"
    assert servers.absent["naive-int8"] == "not selected by --only"
