"""The charts: drawn by matplotlib in an environment of its own, from the committed results."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.options import BENCHMARKS
from benchmarks.harness.servers import SERVERS
from benchmarks.report.publish import draw

COMMITTED = BENCHMARKS / "results"
CHARTS = ("cold", "latency", "load", "growth", "scale")
SVG = "{http://www.w3.org/2000/svg}"


def labels(folder: Path, name: str) -> list[tuple[str, float, float]]:
    """Return the texts in a chart, with their positions."""
    root = ElementTree.fromstring((folder / f"{name}.svg").read_text())
    return [(str(text.text), float(text.get("x", 0)), float(text.get("y", 0))) for text in root.iter(f"{SVG}text")]


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the charts of the committed results, drawn now."""
    folder = tmp_path_factory.mktemp("charts")
    for name in CHARTS:
        shutil.copy(COMMITTED / f"{name}.json", folder)
    draw(folder)
    if not any(folder.glob("*.svg")):
        pytest.skip("matplotlib cannot be installed")
    return folder


@pytest.mark.parametrize("name", CHARTS)
def test_a_committed_chart_shows_the_committed_results(name: str, redrawn: Path) -> None:
    assert [text for text, *_ in labels(redrawn, name)] == [text for text, *_ in labels(COMMITTED, name)]


def test_a_chart_is_the_same_each_time_it_is_drawn(redrawn: Path) -> None:
    first = {name: (redrawn / f"{name}.svg").read_bytes() for name in CHARTS}
    draw(redrawn)
    assert {name: (redrawn / f"{name}.svg").read_bytes() for name in CHARTS} == first


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_an_svg_with_a_title(name: str) -> None:
    root = ElementTree.fromstring((COMMITTED / f"{name}.svg").read_text())
    assert root[0].tag == f"{SVG}title"
    assert root[0].text
    assert len(list(root.iter())) > 10


def test_the_chart_of_the_cold_start_names_every_server() -> None:
    texts = {text for text, *_ in labels(COMMITTED, "cold")}
    absent = json.loads((COMMITTED / "cold.json").read_text())["absent"]
    assert {spec.title for spec in SERVERS.values() if spec.name not in absent} <= texts
    assert any("ms" in text for text in texts)
    assert any("MB" in text for text in texts)


def test_a_logarithmic_axis_has_equal_steps() -> None:
    ticks = [x for text, x, _ in labels(COMMITTED, "scale") if text in ("1", "10", "100", "1,000")][:4]
    assert np.diff(ticks) == pytest.approx([ticks[1] - ticks[0]] * 3)
    assert ticks[1] > ticks[0]
