"""The benchmarks' pure parts, and one quick run of ours against the floor."""

from __future__ import annotations

import ast
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks import cold
from benchmarks.harness import many_classes, masks, percentiles, photos, progress, sizes, venvs
from benchmarks.harness.http_exchange import Question, Reply
from benchmarks.harness.lifecycle import in_turn
from benchmarks.harness.options import MODEL, Options
from benchmarks.harness.percentiles import summary
from benchmarks.harness.server_process import ServerFailed
from benchmarks.harness.servers import ALL, COMPETITORS
from benchmarks.report import charts, targets
from benchmarks.report import tables as report
from model.tflite.pool import Engine
from tests.support.images import Encode

LEVEL = {
    "throughput": summary([90, 100, 110]),
    "p50_ms": 80.0,
    "p95_ms": 100.0,
    "p99_ms": 120.0,
    "right": 9,
    "wrong": 0,
}
LEVEL |= {"busy": 0, "errors": {}, "pss_mb": summary([150.0]), "generator_cpu_ms": 0.1}
MACHINE = {"machine": {"busy_before": 0.0}, "quick": True, "absent": {"older": "no wheel"}}
STEADY = {"requests": 1000, "not_right": 0, "pss_mb": summary([170.0]), "kept_mb": {"200": 150, "1000": 151}}
STEADY |= {"growth": 0.0067, "curve": [[0, 110.0], [1000, 170.0]]}
CURVE = {"x": [1, 2, 3], "ms": [summary([n]) for n in (10, 20, 30)], "peak_mb": [summary([n]) for n in (90, 95, 100)]}
CURVE |= {
    "ms_line": percentiles.line([1, 2, 3], [10, 20, 30]),
    "peak_mb_line": percentiles.line([1, 2, 3], [90, 95, 100]),
}


def start(name: str, ms: float) -> dict[str, object]:
    """Make up how a contestant started."""
    about = {"title": ALL[name].title, "warm_ms": summary([9]), "pss_mb": summary([99])}
    return {**about, "cold_ms": summary([ms]), "answer_bytes": 1500, "agreement": 1.0, "installed_mb": 155.0}


def asked(name: str, megapixels: float, ours: float, naive: float) -> dict[str, object]:
    """Make up what a photo took."""
    contestants = {
        one: {"title": ALL[one].title, "ms": summary([ms])} for one, ms in (("ours", ours), ("naive", naive))
    }
    about = {"name": name, "megapixels": megapixels, "contestants": contestants, "floor_same_mask": True}
    return {**about, "stages_ms": {"infer": 7.0, "http": 2.0}, "floor_ms": {"decode": 10.0, "infer": 7.0}}


RESULTS = {
    "cold": {
        **MACHINE,
        "photo": {"width": 600, "height": 400},
        "contestants": {"ours": start("ours", 290), "litserve": start("litserve", 600), "ok": start("ok", 200)},
        "source_zipped_mb": 5.9,
        "steps": {"NumPy": summary([50])},
    },
    "latency": {**MACHINE, "photos": [asked("600x400-jpg", 0.24, 10, 15), asked("4000x3000-jpg", 12, 18, 90)]},
    "load": {
        **MACHINE,
        "contestants": {"ours": {"title": "Silhouette", "levels": {"1": LEVEL, "8": LEVEL}}},
        "steady": STEADY,
    },
    "growth": {**MACHINE, "megapixels": CURVE, "classes": CURVE},
}


def test_a_summary_is_the_median_and_the_extremes() -> None:
    assert summary([3, 1, 2]) == {"median": 2, "least": 1, "greatest": 3, "runs": 3}


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (95, 95), (99, 99), (100, 100), (0.5, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: int) -> None:
    assert percentiles.percentile(list(range(100, 0, -1)), percent) == value


def test_a_line_is_found_again() -> None:
    assert percentiles.line([1, 2, 5], [7, 9, 15]) == {"slope": 2, "intercept": 5, "r2": 1}


def test_the_bar_says_how_far_and_how_long() -> None:
    assert progress.bar("cold", 1, 3, 10, "ours") == f"cold [{'#' * 10}{'.' * 20}] 1/3, 20 s left: ours"


def test_another_one_begins_in_every_round() -> None:
    assert [in_turn("abc", turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]


def test_what_server_timing_leaves_unsaid_is_http() -> None:
    reply = Reply(200, {"server-timing": "decode;dur=2.50, infer;dur=5.00"}, b"", 10)
    assert reply.stages_ms == {"decode": 2.5, "infer": 5, "http": 2.5}


def test_a_question_is_one_whole_request() -> None:
    head, _, body = Question("/", "image/jpeg", b"photo").as_bytes(80).partition(b"\r\n\r\n")
    assert b"Content-Length: 5" in head
    assert body == b"photo"


@pytest.mark.parametrize("name", RESULTS)
def test_every_picture_is_an_svg_that_names_what_it_shows(name: str) -> None:
    root = ElementTree.fromstring(charts.DRAW[name](RESULTS[name]))
    assert root[0].tag.endswith("title")
    assert len(root) > 10


@pytest.mark.parametrize("name", RESULTS)
def test_every_table_has_as_many_cells_in_each_row(name: str) -> None:
    parts = [part.strip() for part in report.TABLES[name](RESULTS[name]).split("\n\n")]
    tables = [part.splitlines() for part in parts if part.startswith("|")]
    assert tables
    for rows in tables:
        assert len(rows) > 2
        assert len({line.count("|") for line in rows}) == 1


def test_an_absent_competitor_is_named_with_the_reason() -> None:
    for name in ("cold", "latency", "load"):
        assert "absent: no wheel" in report.TABLES[name](RESULTS[name]).replace("is absent", "absent")


def test_what_is_reached_is_told_from_what_is_not_and_from_what_was_not_measured() -> None:
    found = {one.figure: one.reached for one in targets.compare(RESULTS)}
    assert found['cold start to first mask, against "ok"'] is True
    assert found["cold start, against LitServe"] is False
    assert found["cold start, against the older recipe"] is None
    assert found["12-megapixel JPEG, against the naive function"] is True
    assert found["8 in flight: throughput, against one at a time"] is False
    assert found["the same: PSS kept after 1000, beyond that after 200"] is True
    assert {one.reached for one in targets.compare({})} == {None}


def test_the_tables_and_pictures_are_written_beside_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, result in RESULTS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    report.publish(tmp_path)
    assert {file.stem for file in tmp_path.glob("*.svg")} == set(RESULTS)
    assert "| figure | measured | target | reached |" in capsys.readouterr().out


def test_what_is_weighed_is_what_travels() -> None:
    files = {file.name for file in sizes.source_files()}
    assert {"main.py", "requirements.txt", "pets.tflite", "sample.jpg"} <= files
    assert not files & {"README.md", "Makefile", "train.py"}


def test_an_installers_last_word_has_no_address_and_no_path() -> None:
    errors = "noise\nERROR: no match at https://a.example/simple for /some/folder/tensorflow\n"
    assert venvs.last_word(errors) == "ERROR: no match at ... for ..."


def test_without_ours_there_is_nothing_to_go_on_with() -> None:
    field = venvs.Field([ALL["ours"], ALL["ok"]])
    field.miss(ALL["ok"], ServerFailed("it stopped"))
    assert field.absent == {"ok": "it stopped"}
    with pytest.raises(ServerFailed):
        field.miss(ALL["ours"], ServerFailed("it stopped"))


def test_a_mask_that_differs_by_a_byte_stops_the_run(encode: Encode) -> None:
    photo = encode(photos.Image.new("1", (9, 9)), "PNG")
    with pytest.raises(masks.WrongMask):
        masks.check(ALL["ours"], photo + b"\0", photo)
    with pytest.raises(masks.WrongMask):
        masks.check(ALL["naive"], encode(photos.Image.new("1", (9, 9), 1), "PNG"), photo)
    assert masks.check(ALL["naive"], photo, photo) == 1


@pytest.mark.parametrize("program", ["flask_tensorflow/app.py", "naive/main.py", "litserve/server.py"])
def test_a_competitor_knows_what_the_models_card_says(program: str) -> None:
    """They have the constants written out, as their users would: they must be those of the bundled model."""
    card = masks.card(MODEL)
    said = {"MEAN": card["mean"][0], "STD": card["std"][0], "THRESHOLD": card["threshold"]}
    for node in ast.parse((COMPETITORS / program).read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            names = [name.id for name in node.targets[0].elts if isinstance(name, ast.Name)]
            assert ast.literal_eval(node.value) == tuple(said[name] for name in names)
            return
    pytest.fail("it has no constants")


@pytest.mark.parametrize("classes", [2, 7, 150])
def test_a_model_of_any_number_of_classes_loads(tmp_path: Path, classes: int) -> None:
    assert Engine(many_classes.write(tmp_path / "many.tflite", classes), 1).classes == classes


def test_a_quick_run_measures_ours_against_the_floor() -> None:
    found = cold.measure(Options(quick=True, only=("ok",), install=False))
    assert set(found["contestants"]) == {"ours", "ok"}
    assert found["contestants"]["ours"]["agreement"] == 1
    assert found["contestants"]["ours"]["cold_ms"]["median"] > found["contestants"]["ok"]["cold_ms"]["median"]
    assert next(iter(found["steps"])) == "Python"
    assert all(step["median"] > 0 for step in found["steps"].values())
    assert found["absent"] == dict.fromkeys(("older", "litserve", "naive"), "not asked for")
