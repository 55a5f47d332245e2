"""The tables of the documents are complete, and their figures come from committed results."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any

import main
from model.errors import code_of
from model.options import OPTION_NAMES, OUTPUT_NAMES
from model.serving.settings import Settings
from model.tflite.card import ModelCard
from tests.support.paths import ROOT

README, HTTP_API, SETTINGS, MODELS, SECURITY, MODEL_CARD = (
    (ROOT / name).read_text()
    for name in (
        "README.md",
        "docs/http-api.md",
        "docs/settings.md",
        "docs/models.md",
        "docs/security.md",
        "model/weights/MODEL_CARD.md",
    )
)


def result(name: str) -> Any:
    """Return a committed benchmark result."""
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())


def test_the_tables_name_every_option_setting_and_code() -> None:
    for name in (*OPTION_NAMES, *OUTPUT_NAMES):
        assert f"`{name}`" in HTTP_API, name
    for field in fields(Settings):
        assert f"`{field.name.upper()}`" in SETTINGS, field.name
    for error, status in main.STATUS.items():
        row = next(line for line in HTTP_API.splitlines() if f"`{code_of(error.__name__)}`" in line)
        assert str(status) in row, row


def test_the_table_of_the_model_card_names_every_field() -> None:
    for field in fields(ModelCard):
        assert f"`{field.name}`" in MODELS or field.name == "source", field.name


def test_the_figures_of_the_bundled_model_are_those_of_its_report() -> None:
    tables = (ROOT / "model" / "weights" / "groups.md").read_text().strip()
    assert tables.count("composed scenes") == 3
    assert tables in MODEL_CARD


def test_the_figures_of_the_stress_tests_are_those_of_their_results() -> None:
    hostile, soak = result("hostile"), result("soak")
    assert f"| {hostile['cases']:,} | 0 | {hostile['wrong']} |" in SECURITY
    assert f"{hostile['by_status']['200']:,} got a mask" in SECURITY
    assert f"after {hostile['worst_s']} s, with at most {hostile['worst_pss_mb']} MB" in SECURITY
    load = f"{soak['right']:,} masks, {soak['refused']:,} rejected with 503, {soak['hung up']:,} disconnected"
    assert f"{load} | {soak['lost']} | {soak['wrong']} |" in SECURITY
    assert f"was {soak['pss_mb'][1]:.0f} MB with {soak['threads'][1]:.0f} threads" in SECURITY
    assert f"{hostile['cases']:,} hostile uploads" in README
    assert hostile["wrong"] == soak["wrong"] == 0


def test_the_page_of_other_platforms_names_their_folders_their_proofs_and_the_limit_of_lambda() -> None:
    page = (ROOT / "docs" / "other-platforms.md").read_text()
    for folder in (path for path in (ROOT / "deploy").iterdir() if path.is_dir() and path.name != "__pycache__"):
        assert f"`deploy/{folder.name}/" in page, folder
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    assert set(re.findall(r"`make (\w+)`", page)) <= set(targets[1].split())
    assert 'MAX_BODY_BYTES = "4600000"' in (ROOT / "deploy" / "lambda" / "handler.py").read_text()
    assert "`MAX_RESPONSE_BYTES` to 4,600,000" in page
