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

README, HTTP_API, SETTINGS, MODELS, SECURITY, BENCHMARKS, MODEL_CARD = (
    (ROOT / name).read_text()
    for name in (
        "README.md",
        "docs/http-api.md",
        "docs/settings.md",
        "docs/models.md",
        "docs/security.md",
        "docs/benchmarks.md",
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
    table = MODEL_CARD.partition("## Accuracy")[2].partition("\n| ")[2].partition("\n\n")[0]
    assert len(table.splitlines()) == 7
    assert table in (ROOT / "model" / "weights" / "report.md").read_text()


def test_the_figures_of_breeds_that_the_network_never_saw_are_those_of_their_histories() -> None:
    last = [file.read_text().split()[-1].split(",") for file in (ROOT / "model/weights/left-out").iterdir()]
    low, high = sorted(f"{float(iou):.2f}" for _, _, iou, *_ in last)
    assert f"of {low} or {high} on the third" in MODEL_CARD


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


def test_the_figures_of_the_readme_are_those_of_the_benchmarks() -> None:
    cold, latency = result("cold"), {photo["name"]: photo for photo in result("latency")["photos"]}
    variant = "int8" if "litserve-int8" in cold["servers"] else "float16"  # the same model as ours
    ours, flask, litserve = (cold["servers"][name] for name in ("ours", "flask_tensorflow", f"litserve-{variant}"))
    start = [
        round(server["cold_ms"]["median"] / 1000, digits) for server, digits in ((ours, 2), (flask, 1), (litserve, 1))
    ]
    assert f"**Starts in {start[0]} s**, where the original Flask and TensorFlow recipe takes {start[1]} s" in README
    assert f"and LitServe {start[2]} s" in README
    assert (
        f"**Needs {ours['pss_mb']['median']:.0f} MB of memory** and {ours['installed_mb']:.0f} MB of packages" in README
    )
    assert f"needs {flask['pss_mb']['median']:.0f} MB and {flask['installed_mb']:.0f} MB" in README
    small, large = latency["600x400-jpg"]["servers"], latency["4000x3000-jpg"]["servers"]
    assert f"**Answers in {small['ours']['ms']['median']:.0f} ms** for a 600 x 400 photo" in README
    assert f"in {large['ours']['ms']['median']:.0f} ms for 12 megapixels" in README
    assert f"function takes {large[f'naive-{variant}']['ms']['median']:.0f} ms" in README


def test_the_cost_of_a_million_photos_is_that_of_the_simulation() -> None:
    backfill = result("scale")["patterns"]["backfill"]
    assert f"**Costs about {backfill['10']['usd']['total']:.0f} US dollars for a million photos**" in README
    ten, thirty = backfill["10"], backfill["30"]
    assert f"about {ten['hours']:.0f} hours and {ten['usd']['total']:.0f} US dollars with 10 instances" in BENCHMARKS
    assert f"about {thirty['hours']:.0f} hour at the same cost with 30" in BENCHMARKS


def test_the_page_of_other_platforms_names_their_folders_their_proofs_and_the_limit_of_lambda() -> None:
    page = (ROOT / "docs" / "other-platforms.md").read_text()
    for folder in (path for path in (ROOT / "deploy").iterdir() if path.is_dir() and path.name != "__pycache__"):
        assert f"`deploy/{folder.name}/" in page, folder
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    assert set(re.findall(r"`make (\w+)`", page)) <= set(targets[1].split())
    assert 'MAX_BODY_BYTES = "4600000"' in (ROOT / "deploy" / "lambda" / "handler.py").read_text()
    assert "`MAX_RESPONSE_BYTES` to 4,600,000" in page
