from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.image.preprocess import FLOAT_RGB
from model.tflite.card import ModelCard
from model.training.measure import report
from model.training.measure.evaluation import Candidate, Evaluation
from model.training.measure.latency import Measurement
from tests.support.paths import ROOT

WEIGHTS = ROOT / "model" / "weights"


@pytest.fixture(scope="module")
def results() -> list[Evaluation]:
    """The committed results of the bundled model."""
    return [from_summary(summary) for summary in json.loads((WEIGHTS / "report.json").read_text())]


def from_summary(values: dict[str, Any]) -> Evaluation:
    """Return the results of a model in report.json."""
    width, height = values["input_wh"]
    candidate = Candidate(
        file=Path(values["model"]),
        infer=lambda tensor: tensor,
        input=FLOAT_RGB.with_size((width, height)),
        classes=1,
        card=ModelCard(labels=tuple(values["labels"]), threshold=values["threshold"]),
        size_bytes=values["bytes"],
        sha256=values["sha256"],
    )
    return Evaluation(
        candidate=candidate,
        photo_iou=values["photo_iou"],
        class_iou=values["class_iou"],
        pooled_iou=values["pooled_iou"],
        border_iou=values["border_iou"],
        border_threshold=values["border_threshold"],
        boundary_f=values["boundary_f"],
        false_positive_share=values["marked"],
        measurements=[Measurement(**figures) for figures in values["figures"]],
    )


def test_the_committed_json_report_has_the_present_format(results: list[Evaluation]) -> None:
    committed = json.loads((WEIGHTS / "report.json").read_text())
    assert json.loads(json.dumps([report.summary(result) for result in results])) == committed


def test_the_committed_report_is_what_evaluate_writes_from_its_figures(results: list[Evaluation]) -> None:
    text = report.markdown(report.unique_names(results), results, len(results[0].photo_iou))
    without_pictures = [line for line in text.splitlines() if line and not line.startswith(("# ", "![photo"))]
    assert without_pictures == [line for line in (WEIGHTS / "report.md").read_text().splitlines()[4:] if line]


def test_models_with_the_same_file_name_are_numbered(results: list[Evaluation]) -> None:
    assert report.unique_names([results[0], results[1], results[0]]) == ["pets-1", "pets-float16", "pets-3"]
