from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.options import Options
from model.segmenter import Segmenter
from model.tflite import card as cards
from model.tflite import known_models, loading
from model.tflite.bundled import BUNDLED_MODEL
from model.tflite.card import ModelCard
from model.tflite.known_models import KNOWN_MODELS, KnownModel
from model.tflite.runtime import RUNTIME
from tests.support.images import decode_image
from tests.support.paths import MODELS, ROOT, SAMPLE

ZOO = Path(os.environ.get("SILHOUETTE_ZOO", "nowhere"))
LITERT_ONLY = ("selfie_segmentation", "selfie_segmentation_landscape", "selfie_segmenter_tasks")
ROUGH_IOU = 0.7  # of an animal in the sample photo, with the bundled model's mask


def file_of(name: str) -> Path:
    return MODELS / "served" / f"{name}.tflite"


def checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_known_file_without_a_card_is_read_by_the_card_of_the_table() -> None:
    file = file_of("minus-one-to-one")
    known = {checksum(file): {"mean": (127.5,), "std": (127.5,), "labels": ("table", "red")}}
    loaded = loading.load(file, 1, known=known)
    assert loaded.card.source == "known"
    assert (loaded.card.mean, loaded.card.std, loaded.card.labels) == ((127.5,) * 3, (127.5,) * 3, ("table", "red"))
    assert loaded.sources["mean"] == "known"
    assert loaded.sources["activation"] == "inferred"


def test_the_given_checksum_is_used_and_the_file_is_not_read_again() -> None:
    known = {"of the download": {"name": "downloaded"}}
    assert loading.load(file_of("logit"), 1, "of the download", known).card.name == "downloaded"


def test_a_file_that_is_not_in_the_table_is_inferred() -> None:
    assert loading.load(file_of("logit"), 1, known={"0" * 64: {"name": "another"}}).card.source == "inferred"


def test_the_card_of_the_table_takes_precedence_over_metadata() -> None:
    file = file_of("metadata")
    before = loading.load(file, 1, known={})
    assert before.card.source == "metadata"
    loaded = loading.load(file, 1, known={checksum(file): {"name": "checked", "mean": (1.0,), "std": (2.0,)}})
    assert (loaded.card.source, loaded.card.name, loaded.card.mean) == ("known", "checked", (1.0,) * 3)
    assert loaded.card.labels == before.card.labels
    assert loaded.sources["labels"] == before.sources["labels"]


def test_an_embedded_card_takes_precedence_over_the_table(tmp_path: Path) -> None:
    file = tmp_path / "m.tflite"
    file.write_bytes(file_of("logit").read_bytes())
    cards.embed(file, ModelCard(name="mine"))
    loaded = loading.load(file, 1, known={checksum(file): {"name": "theirs"}})
    assert (loaded.card.source, loaded.card.name) == ("embedded", "mine")


def test_a_known_model_is_described_as_known(monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of("probability")
    known = KnownModel(
        "red", "nobody", "https://example.com", "MIT", "red", ("rest", "red"), ((0.0,) * 3, (255.0,) * 3), "none"
    )
    monkeypatch.setitem(known_models.KNOWN_MODELS, checksum(file), known)
    segmenter = Segmenter(file, checksum(file), interpreters=1, wait_limit_s=1, max_pixels=10**6)
    description = segmenter.describe()
    assert (description["card"], description["name"], description["licence"]) == ("known", "red", "MIT")
    assert description["description"] == "red; published by nobody, https://example.com"


def test_a_model_with_a_card_does_not_import_the_table() -> None:
    code = "import sys, main; assert 'model.tflite.known_models' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("known", KNOWN_MODELS.values(), ids=lambda known: known.name)
def test_each_card_of_the_table_is_valid_and_complete(known: KnownModel) -> None:
    values = known.card_values()
    assert values.keys() >= loading.SUFFICIENT_FIELDS | {"background", "name", "description", "licence"}
    ModelCard().with_values(values)


def test_the_checksums_are_those_of_different_files() -> None:
    assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in KNOWN_MODELS)
    assert len({known.name for known in KNOWN_MODELS.values()}) == len(KNOWN_MODELS)


def test_the_documents_list_each_known_model() -> None:
    text = (ROOT / "docs" / "models.md").read_text()
    for known in KNOWN_MODELS.values():
        assert f"| `{known.name}` | [{known.publisher}]({known.url}) | {known.licence} | {known.objects} |" in text


@pytest.mark.skipif(not ZOO.is_dir(), reason="SILHOUETTE_ZOO does not name a folder with the files of known models")
@pytest.mark.parametrize(("sha256", "known"), KNOWN_MODELS.items(), ids=[k.name for k in KNOWN_MODELS.values()])
def test_a_public_model_is_served_without_a_card(sha256: str, known: KnownModel) -> None:
    """The sample photo shows animals: models that know them agree with the bundled model."""
    file = ZOO / f"{known.name}.tflite"
    assert checksum(file) == sha256
    if known.name in LITERT_ONLY and RUNTIME == "tflite_runtime":
        pytest.skip("needs LiteRT")
    mask = mask_of(file)
    if "cat" in known.labels:
        pets = mask_of(BUNDLED_MODEL) > 0
        animals = np.isin(mask, [known.labels.index("cat"), known.labels.index("dog")])
        assert (animals & pets).sum() / (animals | pets).sum() > ROUGH_IOU
    else:
        assert len(np.unique(mask)) > 1


def mask_of(file: Path) -> NDArray[np.uint8]:
    """Return the mask of the sample photo as class ids, at the photo's size."""
    segmenter = Segmenter(file, checksum(file), interpreters=1, wait_limit_s=1, max_pixels=10**6)
    assert segmenter.card.source in ("known", "embedded")
    body = segmenter.segment(SAMPLE.read_bytes(), Options.parse({}, segmenter.card)).body
    return np.asarray(decode_image(body)).astype(np.uint8)
