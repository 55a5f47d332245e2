from __future__ import annotations

import pytest

from model.serving.settings import Settings
from model.tflite.bundled import BUNDLED_MODEL


def test_the_default_is_the_bundled_model() -> None:
    settings = Settings.from_env({})
    assert settings.model_uri == str(BUNDLED_MODEL)
    assert settings.interpreters >= 1


def test_each_setting_is_read_from_the_variable_of_its_name() -> None:
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
        "MAX_RESPONSE_BYTES": "3000",
    }
    origins = "https://example.com", "https://example.org"
    names = "project", "pets", "pets-00001", ("in-1", "in-2"), "out", 3000
    assert Settings.from_env(env) == Settings("other.tflite", 3, 1.5, 2.5, 1000, 2000, "ab" * 32, 7.0, origins, *names)


@pytest.mark.parametrize("value", ["0", "-1", "many", "nan", "inf"])
def test_an_invalid_number_is_rejected_with_the_name_of_the_setting(value: str) -> None:
    with pytest.raises(ValueError, match="WAIT_LIMIT_S"):
        Settings.from_env({"WAIT_LIMIT_S": value})


def test_an_invalid_checksum_is_rejected() -> None:
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
def test_an_invalid_bucket_configuration_is_rejected(photos: str, masks: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Settings.from_env({"PHOTO_BUCKETS": photos, "MASK_BUCKET": masks})


def test_invalid_allowed_origins_are_rejected() -> None:
    assert Settings.from_env({"ALLOWED_ORIGINS": "https://a.example,*"}).allowed_origins == ("https://a.example", "*")
    for value in ("a.example", "https://a.example/", "https://*.a.example"):
        with pytest.raises(ValueError, match="ALLOWED_ORIGINS"):
            Settings.from_env({"ALLOWED_ORIGINS": value})
