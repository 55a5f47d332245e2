from __future__ import annotations

import os

import pytest

from tests.stress.bucket_chaos.experiment import run
from tests.stress.bucket_chaos.scenario import Scenario
from tests.stress.bucket_chaos.verify import MASK_BUCKET, Expected, find_differences
from tests.support.gcs_emulator import GcsEmulator
from tests.support.images import solid_image

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are killed by POSIX signals")


def test_after_chaos_each_photo_has_its_mask_or_note_and_nothing_else_exists() -> None:
    figures = run(Scenario(photos=60, kill_every_s=1.5))
    assert figures["wrong"] == []
    assert min(figures[name] for name in ("replaced", "unusable", "duplicates", "redeliveries", "kills")) > 0
    assert figures["storage_failures"] >= figures["storage_calls"] // 50 > 0
    assert {"mask", "present", "gone"} <= figures["outcomes"].keys()


def test_missing_wrong_old_and_additional_objects_are_reported(gcs: GcsEmulator) -> None:
    bucket = gcs.client().bucket(MASK_BUCKET)
    for name, source_generation in (
        ("old.png", "1"),
        ("wrong.png", "2"),
        ("right.png", "2"),
        ("text.png", "2"),
        ("additional", "2"),
    ):
        blob = bucket.blob(name)
        blob.metadata = {"source-generation": source_generation}
        media_type = "text/plain" if name == "text.png" else "image/png"
        blob.upload_from_string(solid_image("red" if name == "wrong.png" else "tan"), content_type=media_type)
    photos = {name: Expected("2", solid_image("tan")) for name in ("old", "wrong", "right", "text", "missing")}
    assert sorted(find_differences(gcs, photos)) == [
        "additional should not exist",
        "missing.png is missing",
        "old.png was made from another version of the photo",
        "text.png has the content type text/plain",
        "wrong.png has the wrong content",
    ]
