"""The tables and targets of benchmark results, and their publication."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness import percentiles, results
from benchmarks.harness.options import BENCHMARKS
from benchmarks.harness.percentiles import summary
from benchmarks.harness.servers import SERVERS
from benchmarks.report import sentences, tables, targets
from benchmarks.report.publish import publish, write_pages
from tests.support.paths import ROOT

LEVEL = {
    "throughput": summary([90, 100, 110]),
    "p50_ms": 80.0,
    "p95_ms": 100.0,
    "p99_ms": 120.0,
    "correct": 9,
    "incorrect": 0,
}
LEVEL |= {"rejected": 0, "errors": {}, "pss_mb": summary([150.0]), "generator_cpu_ms": 0.1}
SLOWER = {**LEVEL, "throughput": summary([70])}
MACHINE = {"machine": {"busy_before": 0.0}, "quick": True, "absent": {"flask_tensorflow": "no wheel"}}
SIMULATED = {"peak_instances": 10, "hours": 3.0, "billed_hours": 29.0, "deliveries": 1000, "wait_s": {"p99": 5.0}}
SIMULATED |= {"usd": {"instances": 1.0, "total": 2.5}, "usd_beyond_free_tier": 0.5, "without_mask": 0}
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
        for server, ms in (("ours", ours), ("naive-int8", naive))
    }
    result = {"name": name, "megapixels": megapixels, "servers": servers, "floor_same_mask": True}
    return {**result, "stages_ms": {"infer": 7.0, "http": 2.0}, "floor_ms": {"decode": 10.0, "infer": 7.0}}


RESULTS: dict[str, dict[str, Any]] = {
    "cold": {
        **MACHINE,
        "photo": {"width": 600, "height": 400},
        "servers": {
            "ours": cold_start("ours", 290),
            "litserve-int8": cold_start("litserve-int8", 600),
            "naive-int8": cold_start("naive-int8", 280),
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
        "servers": {
            "ours": {"title": "Silhouette", "levels": {"1": LEVEL, "8": LEVEL}},
            "litserve-float16": {"title": "LitServe, float16", "levels": {"8": SLOWER}},
            "litserve-int8": {"title": "LitServe, int8", "levels": {"8": {**SLOWER, "p99_ms": 110.0}}},
        },
        "steady": STEADY,
    },
    "growth": {**MACHINE, "megapixels": CURVE, "classes": CURVE},
    "scale": {
        "photos": 1000,
        "limits": [10],
        "prices_of": "2026-11-26",
        "patterns": {pattern: {"10": SIMULATED} for pattern in ("backfill", "burst", "day")},
        "float16": {**SIMULATED, "usd": {"instances": 1.2, "total": 3.0}},
    },
}


@pytest.mark.parametrize("name", RESULTS)
def test_all_rows_of_a_table_have_the_same_number_of_cells(name: str) -> None:
    parts = [part.strip() for part in tables.TABLES[name](RESULTS[name]).split("\n\n")]
    blocks = [part.splitlines() for part in parts if part.startswith("|")]
    assert blocks
    for rows in blocks:
        assert len(rows) > 2
        assert len({line.count("|") for line in rows}) == 1


def test_an_absent_competitor_is_named_with_the_reason() -> None:
    for name in ("cold", "latency", "load"):
        assert "absent: no wheel" in tables.TABLES[name](RESULTS[name]).replace("is absent", "absent")


def test_a_target_is_met_missed_or_not_measured() -> None:
    met = {target.figure: target.met for target in targets.compare(RESULTS)}
    assert met['cold start to first mask, relative to "ok"'] is True
    assert met["cold start, relative to LitServe with the same int8 model"] is False
    assert met["cold start, relative to the naive function with the same int8 model"] is False
    assert met["cold start, relative to Flask + TensorFlow"] is None
    assert met["12-megapixel JPEG, relative to the naive function with the same int8 model"] is True
    assert met["600 x 400 JPEG, one at a time, beyond the bare invoke"] is True
    assert met["8 in flight: masks per second, relative to LitServe with float16"] is True
    assert met["8 in flight: p99, relative to LitServe with float16"] is True
    assert met["8 in flight: p99, relative to LitServe with int8"] is False
    assert met["a million photos, simulated: cost of the instances, relative to float16"] is False
    assert met["8 in flight: throughput, relative to 1"] is False
    assert met["1000 photos of 12 megapixels: growth of the idle PSS since 200 photos"] is True
    assert {target.met for target in targets.compare({})} == {None}


def test_a_peer_that_was_not_measured_has_no_ratio() -> None:
    load = {**RESULTS["load"], "servers": {"ours": RESULTS["load"]["servers"]["ours"]}}
    measured = {target.figure: target.measured for target in targets.load_targets(load)}
    assert measured["8 in flight: p99, relative to LitServe with int8"] is None


def test_the_reason_why_tf_serving_is_absent_is_stated() -> None:
    assert tables.NOT_COMPARED in tables.document(RESULTS)
    assert tables.NOT_COMPARED in (ROOT / "docs" / "benchmarks.md").read_text()


def test_the_prices_of_the_simulation_have_a_date() -> None:
    assert "simulated, at prices of 2026-11-26" in tables.scale_table(RESULTS["scale"])


def test_the_pages_state_the_committed_results(tmp_path: Path) -> None:
    """Writing the pages anew changes nothing, and brings back what was changed by hand."""
    committed = results.load(BENCHMARKS / "results")
    pages = ["README.md", "docs/benchmarks.md"]
    (tmp_path / "docs").mkdir()
    for page in pages:
        text = (ROOT / page).read_text()
        (tmp_path / page).write_text(text)
        for start in (*sentences.readme(committed), *sentences.benchmarks_page(committed), "| PSS after"):
            text = re.sub(f"^{re.escape(start)}.*", f"{start} 1 |", text, flags=re.MULTILINE)
        assert text != (ROOT / page).read_text()
        (tmp_path / page).write_text(text)
    write_pages(committed, tmp_path)
    for page in pages:
        assert (tmp_path / page).read_text() == (ROOT / page).read_text()


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
