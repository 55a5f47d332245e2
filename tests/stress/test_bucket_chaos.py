"""The proof of `python -m tests.stress.bucket_chaos`, small; and that it would find what it looks for."""

from __future__ import annotations

import os

import pytest

from tests.stress.bucket_chaos.play import MASKS, Play, differences, run
from tests.support import gcs_emulator
from tests.support.images import solid_image

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes by signal, which Windows has not")


def test_whatever_goes_wrong_every_photo_has_its_mask_or_note_in_the_end_and_nothing_else_is_there() -> None:
    told = run(Play(photos=60, kill_every_s=1.5))
    assert told["wrong"] == []
    assert min(told[name] for name in ("replaced", "unusable", "duplicates", "redeliveries", "kills")) > 0
    assert told["storage_failures"] >= told["storage_calls"] // 50 > 0
    assert {"mask", "present", "gone"} <= told["outcomes"].keys()


def test_the_proof_sees_what_is_missing_wrong_old_or_too_much() -> None:
    with gcs_emulator.run_emulator(MASKS) as bucket:
        masks = bucket.client().bucket(MASKS)
        for name, source in (
            ("old.png", "1"),
            ("wrong.png", "2"),
            ("right.png", "2"),
            ("named.png", "2"),
            ("more", "2"),
        ):
            blob = masks.blob(name)
            blob.metadata = {"source-generation": source}
            kind = "text/plain" if name == "named.png" else "image/png"
            blob.upload_from_string(solid_image("red" if name == "wrong.png" else "tan"), content_type=kind)
        newest = {name: ("2", solid_image("tan")) for name in ("old", "wrong", "right", "named", "missing")}
        assert sorted(differences(bucket, newest)) == [
            "missing.png is missing",
            "more should not be there",
            "named.png is called text/plain",
            "old.png is of another version of the photo",
            "wrong.png is not what the photo comes to",
        ]
