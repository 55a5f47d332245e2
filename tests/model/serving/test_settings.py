from __future__ import annotations

import pytest

from model.serving.settings import BUNDLED_MODEL, Settings


def test_nothing_set_serves_the_bundled_model() -> None:
    settings = Settings.from_env({})
    assert settings.model_uri == str(BUNDLED_MODEL)
    assert settings.interpreters >= 1


def test_every_setting_is_read_from_the_variable_of_its_name() -> None:
    env = {
        "MODEL_URI": "other.tflite",
        "INTERPRETERS": "3",
        "WAIT_LIMIT_S": "1.5",
        "REQUEST_TIMEOUT_S": "2.5",
        "MAX_UPLOAD_BYTES": "1000",
        "MAX_PIXELS": "2000",
        "MODEL_SHA256": "AB" * 32,
        "MODEL_FETCH_TIMEOUT_S": "7",
        "ALLOWED_ORIGINS": "https://example.com, https://example.org",
        "GOOGLE_CLOUD_PROJECT": "project",
        "K_SERVICE": "pets",
        "K_REVISION": "pets-00001",
        "PHOTO_BUCKETS": "in-1, in-2",
        "MASK_BUCKET": "out",
    }
    origins = "https://example.com", "https://example.org"
    names = "project", "pets", "pets-00001", ("in-1", "in-2"), "out"
    assert Settings.from_env(env) == Settings("other.tflite", 3, 1.5, 2.5, 1000, 2000, "ab" * 32, 7.0, origins, *names)


@pytest.mark.parametrize("value", ["0", "-1", "many", "nan", "inf"])
def test_a_setting_without_sense_is_refused_by_its_name(value: str) -> None:
    with pytest.raises(ValueError, match="WAIT_LIMIT_S"):
        Settings.from_env({"WAIT_LIMIT_S": value})


def test_a_checksum_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="MODEL_SHA256"):
        Settings.from_env({"MODEL_SHA256": "abc"})


@pytest.mark.parametrize(
    ("photos", "masks", "reason"),
    [
        ("photos", "", "MASK_BUCKET is not set"),
        ("", "masks", "PHOTO_BUCKETS is not set"),
        ("photos,masks", "masks", "MASK_BUCKET must not be one of PHOTO_BUCKETS"),
        ("gs://photos", "masks", "without gs://"),
        ("photos", "gs://masks/folder", "without gs://"),
    ],
)
def test_buckets_that_make_no_sense_together_are_refused(photos: str, masks: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Settings.from_env({"PHOTO_BUCKETS": photos, "MASK_BUCKET": masks})
